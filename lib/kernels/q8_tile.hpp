// AVX2: what the decoders of block formats and the product with 8-bit activations have in common: 16 rows of weights of one
// group, turned so that a lane is a row.
//
// A header for avx2_matmul_q8.cpp alone. All of it has internal linkage, so no copy of it can be taken for another file's.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx2 {
namespace {

// One loop body from codes to sums must stay in registers, and the compiler's size limits would break it into calls.
#define FATHOM_INLINE inline __attribute__((always_inline))

constexpr int kBlockValues = 32;
constexpr int kGroupBlocks = 8;  // a group: a super-block, or eight blocks of 32
constexpr int kGroupValues = kBlockValues * kGroupBlocks;
constexpr int kTileRows = 16;  // rows of weights worked on at once, as two registers of 8

// What a format's product needs; formats override what differs. Besides, a format F has
//   F::terms(rows, blocks, r, tile)   sets all of half r of a tile but its codes, for 8 rows, as stored or interleaved;
//   F::codes(rows, b, emit)           calls emit(j, d, codes) for columns 4d to 4d + 3 of blocks b + j, j < kStep, of 8 rows.
struct Traits {
  static constexpr int kStep = 1;          // blocks that are decoded together
  static constexpr bool kSigned = false;   // codes are signed bytes; else unsigned
  static constexpr int kRun = 8;           // unsigned: products of pairs added in 16 bits, 127 * 2 * run * largest code < 2^15
  static constexpr int kBias = 0;          // codes are this much larger than the values they stand for
  static constexpr bool kMin = false;      // values have an offset: one a block, or with factors one for 16 columns
  static constexpr bool kFactors = false;  // each 16 columns have an integer factor
};

// A group of 16 rows. Lane 8 * r + l of every pair of registers is row 8 * r + l.
template <typename F>
struct Tile {
  __m256i codes[kGroupBlocks][8][2];  // [block][4 columns]: 4 codes a row
  __m256 scale[kGroupBlocks][2];
  __m256 min[F::kMin ? kGroupBlocks : 1][2];           // times the sum of the block's activations; with factors only [0]
  __m256i factors[F::kFactors ? 2 * kGroupBlocks : 1][2];  // of 16 columns: i16 twice a row
  __m256i sum_factors[F::kFactors ? kGroupBlocks : 1][2];  // what meets the sums of a block's two halves: i16 each
};

// Where the 8 rows of half a tile begin, and the byte of the group in them.
struct Rows {
  static constexpr bool kInterleaved = false;
  const uint8_t* const* of;
  int64_t at;

  FATHOM_INLINE const uint8_t* row(int r, int64_t offset) const { return of[r] + at + offset; }
};

// The same of interleaved rows: the field at byte o of each of them lies together from byte 8 * o on, where o counts fields in the
// order of interleave.hpp.
struct InterleavedRows {
  static constexpr bool kInterleaved = true;
  const uint8_t* of;
  int64_t at;

  FATHOM_INLINE const uint8_t* all(int64_t offset) const { return of + 8 * (at + offset); }
};

// The weights of the next tile, asked for in small steps while this one is decoded: asked for at once they would fill the
// processor's list of outstanding lines, and the decoding would wait. They are asked for in ascending order, which the
// prefetchers of the second-level cache then continue.
template <typename F>
struct Ahead {
  static constexpr int kTileBytes = kTileRows * (kGroupValues / F::kValues) * F::kBytes;
  static constexpr int kSteps = 2 * kGroupBlocks / F::kStep;  // in a tile
  static constexpr int kLines = (kTileBytes / 64 + kSteps - 1) / kSteps;
  const char* at;
  const char* end;

  FATHOM_INLINE void step() {
    if (at >= end) return;
#pragma GCC unroll 16
    for (int line = 0; line < kLines; ++line) _mm_prefetch(at + 64 * line, _MM_HINT_T1);
    at += 64 * kLines;
  }
};

template <typename T>
FATHOM_INLINE T load_as(const uint8_t* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

// 32 bits of each row.
FATHOM_INLINE __m256i words32(const InterleavedRows& rows, int64_t offset) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows.all(offset)));
}
FATHOM_INLINE __m256i words32(const Rows& rows, int64_t offset) {
  const auto word = [&](int r) { return load_as<int32_t>(rows.row(r, offset)); };
  return _mm256_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}

FATHOM_INLINE __m128i words16(const InterleavedRows& rows, int64_t offset) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.all(offset)));
}
FATHOM_INLINE __m128i words16(const Rows& rows, int64_t offset) {
  const auto word = [&](int r) { return load_as<int16_t>(rows.row(r, offset)); };
  return _mm_setr_epi16(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}

template <typename AnyRows>
FATHOM_INLINE __m256 halves(const AnyRows& rows, int64_t offset) { return _mm256_cvtph_ps(words16(rows, offset)); }

// The lower and the upper F16 of each lane.
FATHOM_INLINE void split_halves(__m256i pairs, __m256& low, __m256& high) {
  const __m256i packed = _mm256_packus_epi32(_mm256_and_si256(pairs, _mm256_set1_epi32(0xffff)), _mm256_srli_epi32(pairs, 16));
  const __m256i ordered = _mm256_permute4x64_epi64(packed, 0xd8);
  low = _mm256_cvtph_ps(_mm256_castsi256_si128(ordered));
  high = _mm256_cvtph_ps(_mm256_extracti128_si256(ordered, 1));
}

// 16 bytes of each row as columns: out[c] holds bytes 4c to 4c + 3 of the 8 rows.
FATHOM_INLINE void columns16(const InterleavedRows& rows, int64_t offset, __m256i (&out)[4]) {
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) out[c] = words32(rows, offset + 4 * c);
}
FATHOM_INLINE void columns16(const Rows& rows, int64_t offset, __m256i (&out)[4]) {
  __m256i pair[4];  // rows r and r + 4
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    pair[r] = _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.row(r + 4, offset))),
                               _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.row(r, offset))));
  }
  const __m256i even_low = _mm256_unpacklo_epi32(pair[0], pair[1]), even_high = _mm256_unpackhi_epi32(pair[0], pair[1]);
  const __m256i odd_low = _mm256_unpacklo_epi32(pair[2], pair[3]), odd_high = _mm256_unpackhi_epi32(pair[2], pair[3]);
  out[0] = _mm256_unpacklo_epi64(even_low, odd_low);
  out[1] = _mm256_unpackhi_epi64(even_low, odd_low);
  out[2] = _mm256_unpacklo_epi64(even_high, odd_high);
  out[3] = _mm256_unpackhi_epi64(even_high, odd_high);
}

FATHOM_INLINE __m256i mask(__m256i bits, int byte) { return _mm256_and_si256(bits, _mm256_set1_epi8(char(byte))); }
FATHOM_INLINE __m256i low_nibbles(__m256i bytes) { return mask(bytes, 15); }
FATHOM_INLINE __m256i high_nibbles(__m256i bytes) { return mask(_mm256_srli_epi16(bytes, 4), 15); }

// Bits moved left by `by`, or right when it is negative, within 16-bit lanes; callers mask what crosses a byte.
FATHOM_INLINE __m256i shift_left(__m256i bits, int by) {
  return by >= 0 ? _mm256_slli_epi16(bits, by) : _mm256_srli_epi16(bits, -by);
}

// Byte k of each lane.
FATHOM_INLINE __m256i byte_of(__m256i lanes, int k) {
  return _mm256_and_si256(_mm256_srli_epi32(lanes, 8 * k), _mm256_set1_epi32(255));
}

FATHOM_INLINE __m256i look_up(__m128i levels, __m256i nibbles) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(levels), nibbles);
}

FATHOM_INLINE __m128i iq4_levels() {
  return _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
}

}  // namespace
}  // namespace fathom::kernels::avx2
