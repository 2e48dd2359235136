// AVX-512: formats in blocks of 32 values. A format has the bytes of a group, kBytes, the kind of group it is decoded to, and
// load(), which decodes the group that begins at each of two rows.
#pragma once

#include "kernels/avx512_q8_group.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

FATHOM_INLINE __m512 halves(__m128i first_row, __m128i second_row) {
  return _mm512_cvtph_ps(_mm256_set_m128i(second_row, first_row));
}

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

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
