// Products of block-quantised weights with 8-bit activations, AVX-512. The build compiles this file twice: plain, and with the
// VNNI instructions switched on by its flags. Over 400 lines: the two ways through a product need the same thirteen decoders,
// and instruction-set files cannot share code by headers.
//
// Every format is brought to the same terms. For block b of 32 columns, row n of w and row i of x:
//   dot_b  = the exact integer sum of code * x.value, with the format's constant offset (and its integer factors of 16 columns,
//            if it has them) taken into it;
//   y[i][n] += float(dot_b) * (scale_b * x.scale_b) + min_b * (x.scale_b * x.sum_b)
// A group is 8 blocks; lane b % 8 of an accumulator collects block b, and the 8 lanes are added at the end of the row. Codes
// are made unsigned, as the instructions want them.
//
// Few rows of activations: two rows of weights are worked on at once, as 2 * 8 lanes fill a register. They lie half the range
// apart, so that memory sees two long streams: the processor prefetches those by itself, while neighbouring rows, read in
// turns, reach half the bandwidth. Many rows of activations: see matmul_wide. Both give the same bits.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/kernel_table.hpp"

#ifdef __AVX512VNNI__
#define FATHOM_NAMESPACE avx512_vnni
#else
#define FATHOM_NAMESPACE avx512
#endif

namespace fathom::kernels {
namespace FATHOM_NAMESPACE {
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
FATHOM_INLINE __m512 halves(__m128i first_row, __m128i second_row) {
  return _mm512_cvtph_ps(_mm256_set_m128i(second_row, first_row));
}
FATHOM_INLINE __m512i bytes_to_ints(uint64_t first_row, uint64_t second_row) {
  return _mm512_cvtepu8_epi32(_mm_set_epi64x(int64_t(second_row), int64_t(first_row)));
}

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

// One group of one row of activations, twice side by side: for the two rows of weights.
struct Activations {
  const int8_t* values;
  __m512 scales;
  __m512i sums16;  // 16-bit sums of 16 columns

  FATHOM_INLINE __m512i sums(int factor) const { return _mm512_madd_epi16(sums16, _mm512_set1_epi16(int16_t(factor))); }
};

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

FATHOM_INLINE __m512 add_dots(__m512i dots, __m512 scale, __m512 x_scale, __m512 total) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots), _mm512_mul_ps(scale, x_scale), total);
}

FATHOM_INLINE __m512 add_mins(__m512 min, const Activations& x, __m512 total) {
  return _mm512_fmadd_ps(min, _mm512_mul_ps(x.scales, _mm512_cvtepi32_ps(x.sums(1))), total);
}

// What a group of two rows is once decoded; `multiply` adds its product with one group of activations.
template <int bias>
struct SmallGroup {
  static constexpr bool kMin = false, kFactors = false, kByteCodes = false;
  static constexpr int kBias = bias;
  Codes codes;
  __m512 scale;
  FATHOM_INLINE __m512 multiply(const Activations& x, __m512 total) const {
    return add_dots(_mm512_sub_epi32(block_dots_small(codes, x.values), x.sums(bias)), scale, x.scales, total);
  }
};

struct SmallGroupWithMin {
  static constexpr bool kMin = true, kFactors = false, kByteCodes = false;
  static constexpr int kBias = 0;
  Codes codes;
  __m512 scale, min;
  FATHOM_INLINE __m512 multiply(const Activations& x, __m512 total) const {
    return add_mins(min, x, add_dots(block_dots_small(codes, x.values), scale, x.scales, total));
  }
};

struct ByteGroup {
  static constexpr bool kMin = false, kFactors = false, kByteCodes = true;
  static constexpr int kBias = kByteBias;
  Codes codes;
  __m512 scale;
  FATHOM_INLINE __m512 multiply(const Activations& x, __m512 total) const {
    __m512i dots = block_dots_bytes(codes, x.values);
    if (kBias) dots = _mm512_sub_epi32(dots, x.sums(kBias));
    return add_dots(dots, scale, x.scales, total);
  }
};

template <int bias>
struct ScaledGroup {
  static constexpr bool kMin = false, kFactors = true, kByteCodes = false;
  static constexpr int kBias = bias;
  Codes codes;
  Factors factors;
  __m512 scale;
  FATHOM_INLINE __m512 multiply(const Activations& x, __m512 total) const {
    const __m512i offset = _mm512_madd_epi16(_mm512_mullo_epi16(factors.natural, _mm512_set1_epi16(bias)), x.sums16);
    return add_dots(_mm512_sub_epi32(block_dots_scaled(codes, factors, x.values), offset), scale, x.scales, total);
  }
};

struct ScaledGroupWithMins {
  static constexpr bool kMin = true, kFactors = true, kByteCodes = false;
  static constexpr int kBias = 0;
  Codes codes;
  Factors factors;
  __m512i mins;  // 16-bit, [row][16]
  __m512 scale, min;
  FATHOM_INLINE __m512 multiply(const Activations& x, __m512 total) const {
    const __m512 sums = add_dots(block_dots_scaled(codes, factors, x.values), scale, x.scales, total);
    return add_dots(_mm512_madd_epi16(mins, x.sums16), min, x.scales, sums);
  }
};

// The F16 at the start of each of 8 blocks of `stride` bytes. Reads inside the 8 blocks, also when `at` is 2 bytes further.
template <int stride>
FATHOM_INLINE __m128i block_halves(const uint8_t* at) {
  constexpr int16_t s = stride / 2;
  if constexpr (stride == 18) {
    const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s));
    return _mm512_castsi512_si128(_mm512_permutex2var_epi16(load512(at), index, load512(at + 64)));
  } else if constexpr (stride == 20) {
    const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, s, 2 * s, 3 * s, 33, 33 + s, 33 + 2 * s, 33 + 3 * s));
    return _mm512_castsi512_si128(_mm512_permutex2var_epi16(load512(at), index, load512(at + 78)));
  } else if constexpr (stride == 22 || stride == 24) {
    const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, s, 2 * s, 32, 32 + s, 32 + 2 * s, 0, 0));
    const __m512i six = _mm512_permutex2var_epi16(load512(at), index, load512(at + 3 * stride));
    constexpr int last = 8 * stride - 66;  // where the last load begins
    const __m512i rest = _mm512_castsi128_si512(_mm_setr_epi16(0, 0, 0, 0, 0, 0, 3 * stride - last / 2, 7 * s - last / 2));
    return _mm512_castsi512_si128(_mm512_mask_permutexvar_epi16(six, 0xc0, rest, load512(at + last)));
  } else {
    static_assert(stride == 34);
    const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, s, 32, 32 + s, 0, 0, 0, 0));
    const __m512i low = _mm512_permutex2var_epi16(load512(at), index, load512(at + 68));
    const __m512i high = _mm512_permutex2var_epi16(load512(at + 136), index, load512(at + 204));
    return _mm_unpacklo_epi64(_mm512_castsi512_si128(low), _mm512_castsi512_si128(high));
  }
}

// Nibbles of two blocks, whose low nibbles are values 0-15 and high ones 16-31. Leaves the upper halves of bytes to the caller.
FATHOM_INLINE __m512i split_nibbles(const uint8_t* first, const uint8_t* second) {
  const __m512i both = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(load128(first)), 0xff00, load128(second));
  return _mm512_srlv_epi16(
      both, _mm512_set_epi64(0x0004000400040004, 0x0004000400040004, 0, 0, 0x0004000400040004, 0x0004000400040004, 0, 0));
}

FATHOM_INLINE __m512i low_bits(__m512i bytes, int mask) { return _mm512_and_si512(bytes, _mm512_set1_epi8(int8_t(mask))); }

template <int stride, int codes_at>
FATHOM_INLINE void load_nibbles(const uint8_t* const rows[2], Codes& out) {
#pragma GCC unroll 8
  for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < 4; ++j) {
      const uint8_t* at = rows[r] + 2 * j * stride + codes_at;
      out.of[r][j] = low_bits(split_nibbles(at, at + stride), 15);
    }
  }
}

template <int stride, int bits_at>
FATHOM_INLINE void add_fifth_bits(const uint8_t* const rows[2], Codes& out) {
#pragma GCC unroll 8
  for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < 4; ++j) {
      const uint8_t* at = rows[r] + 2 * j * stride + bits_at;
      const __mmask64 bits = load_as<uint32_t>(at) | uint64_t(load_as<uint32_t>(at + stride)) << 32;
      out.of[r][j] = _mm512_mask_add_epi8(out.of[r][j], bits, out.of[r][j], _mm512_set1_epi8(16));
    }
  }
}

FATHOM_INLINE __m512i iq4_levels() {  // offset by kByteBias
  return from_signed(
      _mm512_broadcast_i32x4(_mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)));
}

// The formats: bytes of a group, and how to decode the group of two rows.
struct Q4_0 {
  static constexpr int kBytes = 8 * 18;
  using Group = SmallGroup<8>;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    load_nibbles<18, 2>(rows, out.codes);
    out.scale = halves(block_halves<18>(rows[0]), block_halves<18>(rows[1]));
  }
};

struct Q4_1 {
  static constexpr int kBytes = 8 * 20;
  using Group = SmallGroupWithMin;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    load_nibbles<20, 4>(rows, out.codes);
    out.scale = halves(block_halves<20>(rows[0]), block_halves<20>(rows[1]));
    out.min = halves(block_halves<20>(rows[0] + 2), block_halves<20>(rows[1] + 2));
  }
};

struct Q5_0 {
  static constexpr int kBytes = 8 * 22;
  using Group = SmallGroup<16>;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    load_nibbles<22, 6>(rows, out.codes);
    add_fifth_bits<22, 2>(rows, out.codes);
    out.scale = halves(block_halves<22>(rows[0]), block_halves<22>(rows[1]));
  }
};

struct Q5_1 {
  static constexpr int kBytes = 8 * 24;
  using Group = SmallGroupWithMin;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    load_nibbles<24, 8>(rows, out.codes);
    add_fifth_bits<24, 4>(rows, out.codes);
    out.scale = halves(block_halves<24>(rows[0]), block_halves<24>(rows[1]));
    out.min = halves(block_halves<24>(rows[0] + 2), block_halves<24>(rows[1] + 2));
  }
};

struct Q8_0 {
  static constexpr int kBytes = 8 * 34;
  using Group = ByteGroup;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) {
        const uint8_t* at = rows[r] + 68 * j + 2;
        out.codes.of[r][j] = from_signed(join(load256(at), load256(at + 34)));
      }
    }
    out.scale = halves(block_halves<34>(rows[0]), block_halves<34>(rows[1]));
  }
};

struct IQ4_NL {
  static constexpr int kBytes = 8 * 18;
  using Group = ByteGroup;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    load_nibbles<18, 2>(rows, out.codes);
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) out.codes.of[r][j] = _mm512_shuffle_epi8(iq4_levels(), out.codes.of[r][j]);
    }
    out.scale = halves(block_halves<18>(rows[0]), block_halves<18>(rows[1]));
  }
};

// Codes are twice the values, plus 12.
struct MXFP4 {
  static constexpr int kBytes = 8 * 17;
  using Group = SmallGroup<12>;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    const __m512i levels = _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    load_nibbles<17, 1>(rows, out.codes);
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) out.codes.of[r][j] = _mm512_shuffle_epi8(levels, out.codes.of[r][j]);
    }
    out.scale = half_powers(_mm512_cvtepu16_epi32(_mm256_set_m128i(exponents(rows[1]), exponents(rows[0]))));
  }

  // The first byte of each of 8 blocks of 17 bytes, as 16 bits; every other one is the upper byte of a word.
  static FATHOM_INLINE __m128i exponents(const uint8_t* at) {
    const __m512i index = _mm512_castsi128_si512(_mm_setr_epi16(0, 8, 17, 25, 34, 42, 51, 59));
    const __m128i words = _mm512_castsi512_si128(_mm512_permutex2var_epi16(load512(at), index, load512(at + 64)));
    return _mm_and_si128(_mm_srlv_epi16(words, _mm_setr_epi16(0, 8, 0, 8, 0, 8, 0, 8)), _mm_set1_epi16(255));
  }

  // 2^(e - 128): subnormal for e < 2, NaN for 255.
  static FATHOM_INLINE __m512 half_powers(__m512i e) {
    __m512i bits = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __mmask16 subnormal = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    bits = _mm512_mask_sllv_epi32(bits, subnormal, _mm512_set1_epi32(0x00200000), e);
    const __mmask16 nan = _mm512_cmpeq_epi32_mask(e, _mm512_set1_epi32(255));
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7fc00000)));
  }
};

// Two F16 at `at` of each row, each spread over its row's half.
FATHOM_INLINE void load_scale_and_min(const uint8_t* const rows[2], int at, __m512& scale, __m512& min) {
  const __m128i both = _mm_set_epi32(0, 0, load_as<int32_t>(rows[1] + at), load_as<int32_t>(rows[0] + at));
  const __m512 values = _mm512_castps128_ps512(_mm_cvtph_ps(both));
  const __m512i index = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2);
  scale = _mm512_permutexvar_ps(index, values);
  min = _mm512_permutexvar_ps(_mm512_add_epi32(index, _mm512_set1_epi32(1)), values);
}

FATHOM_INLINE __m512 load_scale(const uint8_t* const rows[2], int at) {
  const __m128i both = _mm_insert_epi16(_mm_cvtsi32_si128(load_as<uint16_t>(rows[0] + at)), load_as<int16_t>(rows[1] + at), 1);
  const __m512i index = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return _mm512_permutexvar_ps(index, _mm512_castps128_ps512(_mm_cvtph_ps(both)));
}

// The twelve bytes of 6-bit scales and mins of Q4_K and Q5_K, and the two F16 before them.
FATHOM_INLINE void load_k_scales(const uint8_t* const rows[2], SmallGroupWithMin& out) {
  uint64_t scales[2], mins[2];
#pragma GCC unroll 8
  for (int r = 0; r < 2; ++r) {
    const uint64_t first = load_as<uint64_t>(rows[r] + 4), last = load_as<uint32_t>(rows[r] + 12);
    const uint64_t low = first & 0x3f3f3f3f3f3f3f3f;
    const uint64_t high = ((last | last << 28) & 0x0f0f0f0f0f0f0f0f) | (first >> 2 & 0x3030303030303030);
    scales[r] = (low & 0xffffffff) | high << 32;
    mins[r] = low >> 32 | (high >> 32 << 32);
  }
  __m512 d, dmin;
  load_scale_and_min(rows, 0, d, dmin);
  out.scale = _mm512_mul_ps(d, _mm512_cvtepi32_ps(bytes_to_ints(scales[0], scales[1])));
  out.min = _mm512_mul_ps(dmin, _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_setzero_si512(), bytes_to_ints(mins[0], mins[1]))));
}

// 32 bytes whose low nibbles are one block and whose high nibbles are the next.
FATHOM_INLINE __m512i nibble_blocks(const uint8_t* at) {
  const __m512i shift =
      _mm512_set_epi64(0x0004000400040004, 0x0004000400040004, 0x0004000400040004, 0x0004000400040004, 0, 0, 0, 0);
  return low_bits(_mm512_srlv_epi16(twice(at), shift), 15);
}

struct Q4_K {
  static constexpr int kBytes = 144;
  using Group = SmallGroupWithMin;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) out.codes.of[r][j] = nibble_blocks(rows[r] + 16 + 32 * j);
    }
    load_k_scales(rows, out);
  }
};

struct Q5_K {
  static constexpr int kBytes = 176;
  using Group = SmallGroupWithMin;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
      const __m512i fifth = twice(rows[r] + 16);
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) {
        const __m512i planes = join(_mm256_set1_epi8(int8_t(1 << 2 * j)), _mm256_set1_epi8(int8_t(2 << 2 * j)));
        const __m512i codes = nibble_blocks(rows[r] + 48 + 32 * j);
        out.codes.of[r][j] = _mm512_mask_add_epi8(codes, _mm512_test_epi8_mask(fifth, planes), codes, _mm512_set1_epi8(16));
      }
    }
    load_k_scales(rows, out);
  }
};

struct Q6_K {
  static constexpr int kBytes = 210;
  using Group = ScaledGroup<32>;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    const __m512i left = _mm512_set_epi64(0x0002000200020002, 0x0002000200020002, 0x0002000200020002, 0x0002000200020002,
                                          0x0004000400040004, 0x0004000400040004, 0x0004000400040004, 0x0004000400040004);
    const __m512i right = _mm512_sub_epi16(_mm512_set1_epi16(4), left);
    __m256i factors[2];
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int h = 0; h < 2; ++h) {
        const __m512i low = load512(rows[r] + 64 * h), high = twice(rows[r] + 128 + 32 * h);
        out.codes.of[r][2 * h] = merge(low, _mm512_sllv_epi16(high, left));
        out.codes.of[r][2 * h + 1] = merge(_mm512_srli_epi16(low, 4), _mm512_srlv_epi16(high, right));
      }
      factors[r] = _mm256_cvtepi8_epi16(load128(rows[r] + 192));
    }
    out.factors.set(factors[0], factors[1]);
    out.scale = load_scale(rows, 208);
  }

  // The low 4 bits of `low` and bits 4 and 5 of `high`.
  static FATHOM_INLINE __m512i merge(__m512i low, __m512i high) {
    return low_bits(_mm512_ternarylogic_epi32(_mm512_set1_epi8(15), low, high, 0xca), 63);
  }
};

// The two-bit planes of Q2_K and Q3_K: blocks 4n + j lie in bits 2j of bytes 32n to 32n + 31.
FATHOM_INLINE __m512i two_bit_blocks(const uint8_t* at, int j) {
  const __m512i first =
      _mm512_set_epi64(0x0002000200020002, 0x0002000200020002, 0x0002000200020002, 0x0002000200020002, 0, 0, 0, 0);
  return low_bits(_mm512_srlv_epi16(twice(at + 32 * (j / 2)), _mm512_add_epi16(first, _mm512_set1_epi16(int16_t(j % 2 * 4)))),
                  3);
}

struct Q2_K {
  static constexpr int kBytes = 84;
  using Group = ScaledGroupWithMins;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    __m256i factors[2], mins[2];
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) out.codes.of[r][j] = two_bit_blocks(rows[r] + 16, j);
      const __m256i both = _mm256_cvtepu8_epi16(load128(rows[r]));
      factors[r] = _mm256_and_si256(both, _mm256_set1_epi16(15));
      mins[r] = _mm256_srli_epi16(both, 4);
    }
    out.factors.set(factors[0], factors[1]);
    out.mins = join(mins[0], mins[1]);
    load_scale_and_min(rows, 80, out.scale, out.min);
    out.min = _mm512_sub_ps(_mm512_setzero_ps(), out.min);
  }
};

struct Q3_K {
  static constexpr int kBytes = 110;
  using Group = ScaledGroup<4>;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
    __m256i factors[2];
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
      const __m512i third = twice(rows[r]);
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) {
        const __m512i planes = join(_mm256_set1_epi8(int8_t(1 << 2 * j)), _mm256_set1_epi8(int8_t(2 << 2 * j)));
        const __m512i codes = two_bit_blocks(rows[r] + 32, j);
        out.codes.of[r][j] = _mm512_mask_add_epi8(codes, _mm512_test_epi8_mask(third, planes), codes, _mm512_set1_epi8(4));
      }
      factors[r] = six_bit_factors(rows[r] + 96);
    }
    out.factors.set(factors[0], factors[1]);
    out.scale = load_scale(rows, 108);
  }

  static FATHOM_INLINE __m256i six_bit_factors(const uint8_t* at) {
    const uint64_t low = load_as<uint64_t>(at), high = load_as<uint32_t>(at + 8);
    const uint64_t first = (low & 0x0f0f0f0f0f0f0f0f) | ((high << 4 | high << 34) & 0x3030303030303030);
    const uint64_t last = (low >> 4 & 0x0f0f0f0f0f0f0f0f) | ((high | high << 30) & 0x3030303030303030);
    const __m256i codes = _mm256_cvtepu8_epi16(_mm_set_epi64x(int64_t(last), int64_t(first)));
    return _mm256_sub_epi16(codes, _mm256_set1_epi16(32));
  }
};

struct IQ4_XS {
  static constexpr int kBytes = 136;
  using Group = ByteGroup;
  static FATHOM_INLINE void load(const uint8_t* const rows[2], Group& out) {
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) {
        const uint8_t* at = rows[r] + 8 + 32 * j;
        out.codes.of[r][j] = _mm512_shuffle_epi8(iq4_levels(), low_bits(split_nibbles(at, at + 16), 15));
      }
    }
    const __m512i factors = join(six_bit_factors(rows[0]), six_bit_factors(rows[1]));
    out.scale = _mm512_mul_ps(load_scale(rows, 0), _mm512_cvtepi32_ps(factors));
  }

  static FATHOM_INLINE __m256i six_bit_factors(const uint8_t* at) {
    const __m256i shift = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    const __m256i low = _mm256_srlv_epi32(_mm256_set1_epi32(load_as<int32_t>(at + 4)), shift);
    const __m256i high = _mm256_srlv_epi32(_mm256_set1_epi32(load_as<uint16_t>(at + 2)), _mm256_srli_epi32(shift, 1));
    const __m256i codes = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)),
                                          _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4));
    return _mm256_sub_epi32(codes, _mm256_set1_epi32(32));
  }
};

// Columns past the last whole group, padded with zeros to a group: factors and activations of zero add nothing.
struct alignas(64) PaddedActivations {
  int8_t values[kTileRows][kGroupValues];
  float scales[kTileRows][kGroupBlocks];
  int16_t sums[kTileRows][2 * kGroupBlocks];
};

inline void copy_padded(const void* from, int64_t bytes, void* to, int64_t size) {
  for (int64_t k = 0; k < size; k += 64) {
    const int64_t left = bytes - k < 0 ? 0 : bytes - k < 64 ? bytes - k : 64;
    const __mmask64 mask = left == 64 ? ~0ull : (1ull << left) - 1;
    const int64_t room = size - k < 64 ? size - k : 64;
    const __mmask64 store = room == 64 ? ~0ull : (1ull << room) - 1;
    _mm512_mask_storeu_epi8(static_cast<uint8_t*>(to) + k, store,
                            _mm512_maskz_loadu_epi8(mask, static_cast<const uint8_t*>(from) + k));
  }
}

QuantisedRows pad_tail(const QuantisedRows& x, int64_t first_col, int m, PaddedActivations& out) {
  const int64_t rest = x.cols - first_col;
  for (int i = 0; i < m; ++i) {
    const int64_t at = i * x.cols + first_col;
    copy_padded(x.values + at, rest, out.values[i], sizeof out.values[i]);
    copy_padded(x.scales + at / 32, rest / 32 * 4, out.scales[i], sizeof out.scales[i]);
    copy_padded(x.sums + at / 16, rest / 16 * 2, out.sums[i], sizeof out.sums[i]);
  }
  return {out.values[0], out.scales[0], out.sums[0], kGroupValues};
}

FATHOM_INLINE Activations activations(const QuantisedRows& x, int64_t row) {
  return {x.values + row * x.cols, _mm512_broadcast_f32x8(_mm256_loadu_ps(x.scales + row * x.cols / 32)),
          twice(x.sums + row * x.cols / 16)};
}

// Adds each row's 8 lanes.
FATHOM_INLINE void store_sums(__m512 total, float* y, int64_t second) {
  __m512 sum = _mm512_add_ps(total, _mm512_shuffle_f32x4(total, total, 0xb1));
  sum = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0x4e));
  sum = _mm512_add_ps(sum, _mm512_permute_ps(sum, 0xb1));
  y[0] = _mm512_cvtss_f32(sum);
  if (second) y[second] = _mm_cvtss_f32(_mm512_extractf32x4_ps(sum, 2));
}

template <typename Format, int m>
void multiply_tile(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, float* y,
                   int64_t y_stride) {
  const int64_t whole = w.cols / kGroupValues * kGroupValues, rest = w.cols - whole;
  PaddedActivations tail;
  alignas(64) uint8_t tail_rows[2][(Format::kBytes + 63) / 64 * 64];
  QuantisedRows padded;
  if (rest) padded = pad_tail(x, whole, m, tail);
  const int64_t half = (last_row - first_row + 1) / 2;
  for (int64_t n = first_row; n < first_row + half; ++n) {
    const bool both = n + half < last_row;
    const uint8_t* rows[2] = {w.data + n * w.row_bytes, w.data + (both ? n + half : n) * w.row_bytes};
    __m512 totals[m];
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) totals[i] = _mm512_setzero_ps();
    QuantisedRows at = x;
    for (int64_t k = 0; k < w.cols; k += kGroupValues) {
      if (k == whole) {
        copy_padded(rows[0], rest / kBlockValues * (Format::kBytes / kGroupBlocks), tail_rows[0], sizeof tail_rows[0]);
        copy_padded(rows[1], rest / kBlockValues * (Format::kBytes / kGroupBlocks), tail_rows[1], sizeof tail_rows[1]);
        rows[0] = tail_rows[0];
        rows[1] = tail_rows[1];
        at = padded;
      }
      typename Format::Group group;
      Format::load(rows, group);
#pragma GCC unroll 8
      for (int i = 0; i < m; ++i) totals[i] = group.multiply(activations(at, i), totals[i]);
      rows[0] += Format::kBytes;
      rows[1] += Format::kBytes;
      at.values += kGroupValues;
      at.scales += kGroupBlocks;
      at.sums += 2 * kGroupBlocks;
    }
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) store_sums(totals[i], y + i * y_stride + n, both ? half : 0);
  }
}

// ---- Many rows of activations: 16 rows of weights are decoded and transposed once, so that a lane is a row of weights, and no
// sums are taken across lanes. The floating operations on an element are those of multiply_tile, in its order.

constexpr int kWideRows = 16;         // rows of weights
constexpr int kWideActivations = 64;  // rows of activations: their totals take 32 KB of the stack

struct WideGroup {
  __m512i codes[kGroupValues / 4];  // 4 columns of 16 rows
  __m512 scale[kGroupBlocks], min[kGroupBlocks];
  __m512 factors[2 * kGroupBlocks], min_factors[2 * kGroupBlocks];
};

// 16 rows of 16 values of 32 bits, in columns. Quarters of rows r, r + 4, r + 8 and r + 12 are loaded side by side; the rest
// is a transposition of 4 by 4 within each lane of 128 bits.
FATHOM_INLINE void transpose(const uint8_t (*rows)[64], void* out) {
  __m512i* columns = static_cast<__m512i*>(out);
#pragma GCC unroll 8
  for (int j = 0; j < 4; ++j) {
    __m512i piece[4];
#pragma GCC unroll 8
    for (int r = 0; r < 4; ++r) {
      piece[r] = _mm512_broadcast_i32x4(load128(rows[4 * 0 + r] + 16 * j));
      piece[r] = _mm512_mask_broadcast_i32x4(piece[r], 0x00f0, load128(rows[4 * 1 + r] + 16 * j));
      piece[r] = _mm512_mask_broadcast_i32x4(piece[r], 0x0f00, load128(rows[4 * 2 + r] + 16 * j));
      piece[r] = _mm512_mask_broadcast_i32x4(piece[r], 0xf000, load128(rows[4 * 3 + r] + 16 * j));
    }
    const __m512i even_low = _mm512_unpacklo_epi32(piece[0], piece[1]), even_high = _mm512_unpackhi_epi32(piece[0], piece[1]);
    const __m512i odd_low = _mm512_unpacklo_epi32(piece[2], piece[3]), odd_high = _mm512_unpackhi_epi32(piece[2], piece[3]);
    _mm512_store_si512(columns + 4 * j, _mm512_unpacklo_epi64(even_low, odd_low));
    _mm512_store_si512(columns + 4 * j + 1, _mm512_unpackhi_epi64(even_low, odd_low));
    _mm512_store_si512(columns + 4 * j + 2, _mm512_unpacklo_epi64(even_high, odd_high));
    _mm512_store_si512(columns + 4 * j + 3, _mm512_unpackhi_epi64(even_high, odd_high));
  }
}

FATHOM_INLINE __m256 half_of(__m512 v, int half) { return half ? _mm512_extractf32x8_ps(v, 1) : _mm512_castps512_ps256(v); }
FATHOM_INLINE __m512 half_of(__m512i v, int half) {  // of 16-bit values
  return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(half ? _mm512_extracti64x4_epi64(v, 1) : _mm512_castsi512_si256(v)));
}

// `at` is the group of the first row; `bytes` of it are there, the rest of a group counts as zeros.
template <typename Format>
void decode_wide(const uint8_t* at, int64_t row_bytes, int64_t bytes, WideGroup& out) {
  using Group = typename Format::Group;
  alignas(64) uint8_t codes[4][kWideRows][64], terms[kWideRows][64], factors[kWideRows][64], min_factors[kWideRows][64];
  alignas(64) uint8_t tail_rows[2][(Format::kBytes + 63) / 64 * 64];
  for (int n = 0; n < kWideRows; n += 2) {
    const uint8_t* rows[2] = {at + n * row_bytes, at + (n + 1) * row_bytes};
    if (bytes < Format::kBytes) {
      for (int r = 0; r < 2; ++r) {
        copy_padded(rows[r], bytes, tail_rows[r], sizeof tail_rows[r]);
        rows[r] = tail_rows[r];
      }
    }
    Group group;
    Format::load(rows, group);
#pragma GCC unroll 8
    for (int r = 0; r < 2; ++r) {
#pragma GCC unroll 8
      for (int j = 0; j < 4; ++j) _mm512_store_si512(codes[j][n + r], group.codes.of[r][j]);
      _mm256_store_ps(reinterpret_cast<float*>(terms[n + r]), half_of(group.scale, r));
      if constexpr (Group::kMin) _mm256_store_ps(reinterpret_cast<float*>(terms[n + r] + 32), half_of(group.min, r));
      if constexpr (Group::kFactors) _mm512_store_ps(factors[n + r], half_of(group.factors.natural, r));
      if constexpr (Group::kMin && Group::kFactors) _mm512_store_ps(min_factors[n + r], half_of(group.mins, r));
    }
  }
  for (int j = 0; j < 4; ++j) transpose(codes[j], out.codes + 16 * j);
  transpose(terms, out.scale);  // and out.min behind it
  if constexpr (Group::kFactors) transpose(factors, out.factors);
  if constexpr (Group::kMin && Group::kFactors) transpose(min_factors, out.min_factors);
}

template <typename Group>
FATHOM_INLINE __m512i add_dot4(__m512i sum, __m512i codes, const int8_t* x) {
  const __m512i values = _mm512_set1_epi32(load_as<int32_t>(reinterpret_cast<const uint8_t*>(x)));
#ifdef __AVX512VNNI__
  return _mm512_dpbusd_epi32(sum, codes, values);
#else
  return _mm512_add_epi32(sum, Group::kByteCodes ? dot4_bytes(codes, values) : dot4(codes, values));
#endif
}

// What a group of one row of activations brings besides its values.
struct WideActivations {
  alignas(64) int32_t start[2 * kGroupBlocks];  // minus the codes' offset times the sums, of 32 or, with factors, 16 columns
  alignas(64) float sums[2 * kGroupBlocks];     // of 32 columns, times the scale; with factors, of 16 as they are
};

template <typename Group>
FATHOM_INLINE void prepare(const QuantisedRows& x, int64_t row, WideActivations& out) {
  const __m256i sums16 = load256(x.sums + row * x.cols / 16);
  if constexpr (Group::kFactors) {
    const __m512i sums = _mm512_cvtepi16_epi32(sums16);
    _mm512_store_si512(out.start, _mm512_mullo_epi32(sums, _mm512_set1_epi32(-Group::kBias)));
    if constexpr (Group::kMin) _mm512_store_ps(out.sums, _mm512_cvtepi32_ps(sums));
  } else {
    _mm256_store_si256(reinterpret_cast<__m256i*>(out.start), _mm256_madd_epi16(sums16, _mm256_set1_epi16(-Group::kBias)));
    if constexpr (Group::kMin) {
      const __m256 sums = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums16, _mm256_set1_epi16(1)));
      _mm256_store_ps(out.sums, _mm256_mul_ps(_mm256_loadu_ps(x.scales + row * x.cols / 32), sums));
    }
  }
}

// f[0] * a + f[1] * b; exact, as all of it stays below 2^24.
FATHOM_INLINE __m512 weigh(const __m512* f, __m512 a, __m512 b) { return _mm512_fmadd_ps(f[1], b, _mm512_mul_ps(f[0], a)); }

// Adds block b of one row of activations.
template <typename Group>
FATHOM_INLINE __m512 multiply_wide_block(const WideGroup& w, int b, const __m512i (&codes)[8], const int8_t* x, float x_scale,
                                         const WideActivations& terms, __m512 total) {
  __m512 dots;
  const __m512 scale = _mm512_set1_ps(x_scale);
  if constexpr (Group::kFactors) {
    __m512i low = _mm512_set1_epi32(terms.start[2 * b]), high = _mm512_set1_epi32(terms.start[2 * b + 1]);
#pragma GCC unroll 8
    for (int d = 0; d < 4; ++d) {
      low = add_dot4<Group>(low, codes[d], x + 4 * d);
      high = add_dot4<Group>(high, codes[d + 4], x + 4 * d + 16);
    }
    dots = weigh(w.factors + 2 * b, _mm512_cvtepi32_ps(low), _mm512_cvtepi32_ps(high));
  } else {
    __m512i sum = _mm512_set1_epi32(terms.start[b]);
#pragma GCC unroll 8
    for (int d = 0; d < 8; ++d) sum = add_dot4<Group>(sum, codes[d], x + 4 * d);
    dots = _mm512_cvtepi32_ps(sum);
  }
  total = _mm512_fmadd_ps(dots, _mm512_mul_ps(w.scale[b], scale), total);
  if constexpr (Group::kMin && Group::kFactors) {
    const __m512 mins = weigh(w.min_factors + 2 * b, _mm512_set1_ps(terms.sums[2 * b]), _mm512_set1_ps(terms.sums[2 * b + 1]));
    total = _mm512_fmadd_ps(mins, _mm512_mul_ps(w.min[b], scale), total);
  } else if constexpr (Group::kMin) {
    total = _mm512_fmadd_ps(w.min[b], _mm512_set1_ps(terms.sums[b]), total);
  }
  return total;
}

using WideTotals = __m512[kGroupBlocks];  // [block % 8], a lane a row of weights

// Adds a group of m rows of activations.
template <typename Group, int m>
void multiply_wide(const WideGroup& w, const QuantisedRows& x, WideTotals* totals) {
  WideActivations terms[m];
  for (int i = 0; i < m; ++i) prepare<Group>(x, i, terms[i]);
  for (int b = 0; b < kGroupBlocks; ++b) {
    __m512i codes[8];
#pragma GCC unroll 8
    for (int d = 0; d < 8; ++d) codes[d] = w.codes[8 * b + d];
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) {
      totals[i][b] = multiply_wide_block<Group>(w, b, codes, x.values + i * x.cols + kBlockValues * b,
                                                x.scales[i * x.cols / 32 + b], terms[i], totals[i][b]);
    }
  }
}

FATHOM_INLINE QuantisedRows advance(const QuantisedRows& x, int64_t rows, int64_t cols) {
  const int64_t by = rows * x.cols + cols;
  return {x.values + by, x.scales + by / 32, x.sums + by / 16, x.cols};
}

// Rows [first_row, last_row), a multiple of 16, times up to kWideActivations rows.
template <typename Format>
void matmul_wide(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
                 int64_t y_stride) {
  using Group = typename Format::Group;
  constexpr void (*kTiles[])(const WideGroup&, const QuantisedRows&, WideTotals*) = {
      multiply_wide<Group, 1>, multiply_wide<Group, 2>, multiply_wide<Group, 3>, multiply_wide<Group, 4>};
  const int64_t whole = w.cols / kGroupValues * kGroupValues, rest = w.cols - whole;
  PaddedActivations tail;
  WideTotals totals[kWideActivations];
  WideGroup group;
  for (int64_t n = first_row; n < last_row; n += kWideRows) {
    for (int64_t i = 0; i < m; ++i) {
      for (__m512& total : totals[i]) total = _mm512_setzero_ps();
    }
    const uint8_t* rows = w.data + n * w.row_bytes;
    for (int64_t k = 0; k < w.cols; k += kGroupValues, rows += Format::kBytes) {
      const int64_t blocks = k == whole ? rest / kBlockValues : kGroupBlocks;
      decode_wide<Format>(rows, w.row_bytes, blocks * Format::kBytes / kGroupBlocks, group);
      for (int64_t i = 0; i < m; i += kTileRows) {
        const int count = int(m - i < kTileRows ? m - i : kTileRows);
        const QuantisedRows tile = advance(x, i, 0);
        kTiles[count - 1](group, k == whole ? pad_tail(tile, whole, count, tail) : advance(tile, 0, k), totals + i);
      }
    }
    for (int64_t i = 0; i < m; ++i) {  // the order of store_sums
      const __m512* t = totals[i];
      const __m512 even = _mm512_add_ps(_mm512_add_ps(t[0], t[4]), _mm512_add_ps(t[2], t[6]));
      const __m512 odd = _mm512_add_ps(_mm512_add_ps(t[1], t[5]), _mm512_add_ps(t[3], t[7]));
      _mm512_storeu_ps(y + i * y_stride + n, _mm512_add_ps(even, odd));
    }
  }
}

template <typename Format>
void matmul_narrow(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
                   int64_t y_stride) {
  constexpr void (*kTiles[])(const WeightRows&, int64_t, int64_t, const QuantisedRows&, float*, int64_t) = {
      multiply_tile<Format, 1>, multiply_tile<Format, 2>, multiply_tile<Format, 3>, multiply_tile<Format, 4>};
  // Rows of weights that stay in the second-level cache while the tiles of activations pass over them.
  const int64_t step = m <= kTileRows ? last_row - first_row : 64;
  for (int64_t n = first_row; n < last_row; n += step) {
    const int64_t end = n + step < last_row ? n + step : last_row;
    for (int64_t i = 0; i < m; i += kTileRows) {
      const int64_t rows = m - i < kTileRows ? m - i : kTileRows;
      kTiles[rows - 1](w, n, end, advance(x, i, 0), y + i * y_stride, y_stride);
    }
  }
}

template <typename Format>
void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
            int64_t y_stride) {
  constexpr int64_t kWideFrom = Format::Group::kFactors ? 24 : 16;  // where decoding into columns begins to pay
  const int64_t wide_end = m < kWideFrom ? first_row : last_row - (last_row - first_row) % kWideRows;
  if (first_row < wide_end) {
    const int64_t parts = (m + kWideActivations - 1) / kWideActivations;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t begin = m * part / parts, end = m * (part + 1) / parts;
      matmul_wide<Format>(w, first_row, wide_end, advance(x, begin, 0), end - begin, y + begin * y_stride, y_stride);
    }
  }
  if (wide_end < last_row) matmul_narrow<Format>(w, wide_end, last_row, x, m, y, y_stride);
}

#undef FATHOM_INLINE

}  // namespace

// What the tables are made of.
#define FATHOM_MATMUL(format, Name)                                                                                    \
  void matmul_q8_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, \
                          float* y, int64_t y_stride) {                                                                \
    matmul<Name>(w, first_row, last_row, x, m, y, y_stride);                                                           \
  }

FATHOM_MATMUL(q4_0, Q4_0)
FATHOM_MATMUL(q4_1, Q4_1)
FATHOM_MATMUL(q5_0, Q5_0)
FATHOM_MATMUL(q5_1, Q5_1)
FATHOM_MATMUL(q8_0, Q8_0)
FATHOM_MATMUL(q2_k, Q2_K)
FATHOM_MATMUL(q3_k, Q3_K)
FATHOM_MATMUL(q4_k, Q4_K)
FATHOM_MATMUL(q5_k, Q5_K)
FATHOM_MATMUL(q6_k, Q6_K)
FATHOM_MATMUL(iq4_nl, IQ4_NL)
FATHOM_MATMUL(iq4_xs, IQ4_XS)
FATHOM_MATMUL(mxfp4, MXFP4)

}  // namespace FATHOM_NAMESPACE
}  // namespace fathom::kernels
