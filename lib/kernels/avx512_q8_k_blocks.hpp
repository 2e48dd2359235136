// AVX-512: formats in super-blocks of 256 values, each a group (see avx512_q8_blocks.hpp for what a format has).
#pragma once

#include "kernels/avx512_q8_group.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

FATHOM_INLINE __m512i bytes_to_ints(uint64_t first_row, uint64_t second_row) {
  return _mm512_cvtepu8_epi32(_mm_set_epi64x(int64_t(second_row), int64_t(first_row)));
}

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

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
