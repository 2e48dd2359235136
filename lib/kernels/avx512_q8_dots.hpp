// AVX-512: the integer part of products of block formats with 8-bit activations: codes of two rows of weights, and their sums of
// products with one row of activations, block by block.
//
// A header for avx512_matmul_q8.cpp alone, as are the others named avx512_q8_*. That file is compiled twice, plain and for VNNI,
// and FATHOM_NAMESPACE keeps the two apart. All of it has internal linkage, so no copy of it can be taken for another file's.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/kernel_table.hpp"

#ifdef __AVX512VNNI__
#define FATHOM_NAMESPACE avx512_vnni
#else
#define FATHOM_NAMESPACE avx512
#endif

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

// One loop body from decoding to sums must stay in registers, and the compiler's size limits would break it into calls.
#define FATHOM_INLINE inline __attribute__((always_inline))

constexpr int kBlockValues = 32;
constexpr int kGroupBlocks = 8;
constexpr int kGroupValues = kBlockValues * kGroupBlocks;
constexpr int kTileRows = 4;  // rows of activations that share the decoded weights

FATHOM_INLINE __m128i load128(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }
FATHOM_INLINE __m256i load256(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
FATHOM_INLINE __m512i load512(const void* at) { return _mm512_loadu_si512(at); }
FATHOM_INLINE __m512i twice(const void* at) { return _mm512_broadcast_i64x4(load256(at)); }

template <typename T>
FATHOM_INLINE T load_as(const uint8_t* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

FATHOM_INLINE __m512i join(__m256i low, __m256i high) { return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1); }

// Sums of products of 4 neighbouring bytes, unsigned codes below 64.
FATHOM_INLINE __m512i dot4(__m512i codes, __m512i x) {
#ifdef __AVX512VNNI__
  return _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, x);
#else
  return _mm512_madd_epi16(_mm512_maddubs_epi16(codes, x), _mm512_set1_epi16(1));
#endif
}

// The same for codes of all 8 bits. VNNI takes them unsigned, 128 too large; without it pairs would overflow 16 bits, so the
// codes stay signed and their sign moves to x.
#ifdef __AVX512VNNI__
constexpr int kByteBias = 128;
FATHOM_INLINE __m512i from_signed(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(-128)); }
FATHOM_INLINE __m512i dot4_bytes(__m512i codes, __m512i x) { return dot4(codes, x); }
#else
constexpr int kByteBias = 0;
FATHOM_INLINE __m512i from_signed(__m512i codes) { return codes; }
FATHOM_INLINE __m512i dot4_bytes(__m512i codes, __m512i x) {
  const __m512i signed_x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(codes), _mm512_setzero_si512(), x);
  return dot4(_mm512_abs_epi8(codes), signed_x);
}
#endif

// The codes of a group of two rows: [row][j] holds blocks 2j and 2j + 1.
struct Codes {
  __m512i of[2][4];
};

// Brings partial sums, where each 128-bit lane of a row holds [blocks 0/1, 2/3, 4/5, 6/7] and lane pairs hold the even and the
// odd block, to one sum a block: lane 8 * row + block.
FATHOM_INLINE __m512i join_lanes(__m512i first_row, __m512i second_row) {
  const __m512i left = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 16, 24, 17, 25, 18, 26, 19, 27);
  const __m512i right = _mm512_add_epi32(left, _mm512_set1_epi32(4));
  return _mm512_add_epi32(_mm512_permutex2var_epi32(first_row, left, second_row),
                          _mm512_permutex2var_epi32(first_row, right, second_row));
}

// Codes of at most 5 bits: the sums of 4 and of 8 products fit 16 bits, so packing and pairwise adding do the reduction.
FATHOM_INLINE __m512i block_dots_small(const Codes& codes, const int8_t* x) {
  const __m512i ones = _mm512_set1_epi16(1);
  __m512i lanes[2];
#pragma GCC unroll 8
  for (int r = 0; r < 2; ++r) {
    const __m512i low = _mm512_packs_epi32(dot4(codes.of[r][0], load512(x)), dot4(codes.of[r][1], load512(x + 64)));
    const __m512i high = _mm512_packs_epi32(dot4(codes.of[r][2], load512(x + 128)), dot4(codes.of[r][3], load512(x + 192)));
    lanes[r] = _mm512_madd_epi16(_mm512_packs_epi32(_mm512_madd_epi16(low, ones), _mm512_madd_epi16(high, ones)), ones);
  }
  return join_lanes(lanes[0], lanes[1]);
}

FATHOM_INLINE __m512i block_dots_bytes(const Codes& codes, const int8_t* x) {
  __m512i lanes[2];
#pragma GCC unroll 8
  for (int r = 0; r < 2; ++r) {
    __m512i pair[2];
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) {
      const __m512i even = dot4_bytes(codes.of[r][2 * h], load512(x + 128 * h));
      const __m512i odd = dot4_bytes(codes.of[r][2 * h + 1], load512(x + 128 * h + 64));
      pair[h] = _mm512_add_epi32(_mm512_unpacklo_epi32(even, odd), _mm512_unpackhi_epi32(even, odd));
    }
    lanes[r] = _mm512_add_epi32(_mm512_unpacklo_epi64(pair[0], pair[1]), _mm512_unpackhi_epi64(pair[0], pair[1]));
  }
  return join_lanes(lanes[0], lanes[1]);
}

// Integer factors of 16 columns, spread over the 16-bit lanes where block_dots_scaled meets them.
struct Factors {
  __m512i natural;  // [row][16]
  __m512i spread[2][2];

  FATHOM_INLINE void set(__m256i first_row, __m256i second_row) {
    natural = join(first_row, second_row);
    const __m512i low = _mm512_set_epi64(0x0007000700070007, 0x0003000300030003, 0x0006000600060006, 0x0002000200020002,
                                         0x0005000500050005, 0x0001000100010001, 0x0004000400040004, 0);
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int h = 0; h < 2; ++h) {
        spread[r][h] = _mm512_permutexvar_epi16(_mm512_add_epi16(low, _mm512_set1_epi16(int16_t(16 * r + 8 * h))), natural);
      }
    }
  }
};

// Codes of at most 6 bits with a factor for every 16 columns: a sum of 4 products fits 16 bits (63 * 127 * 4 = 32004).
FATHOM_INLINE __m512i block_dots_scaled(const Codes& codes, const Factors& factors, const int8_t* x) {
  __m512i lanes[2];
#pragma GCC unroll 8
  for (int r = 0; r < 2; ++r) {
    __m512i half[2];
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) {
      const __m512i sums = _mm512_packs_epi32(dot4(codes.of[r][2 * h], load512(x + 128 * h)),
                                              dot4(codes.of[r][2 * h + 1], load512(x + 128 * h + 64)));
      half[h] = _mm512_madd_epi16(sums, factors.spread[r][h]);
    }
    const __m512 low = _mm512_castsi512_ps(half[0]), high = _mm512_castsi512_ps(half[1]);
    lanes[r] = _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(low, high, 0x88)),
                                _mm512_castps_si512(_mm512_shuffle_ps(low, high, 0xdd)));
  }
  return join_lanes(lanes[0], lanes[1]);
}

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
