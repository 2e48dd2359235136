// AVX2: formats in blocks of 32 values, decoded into tiles. decode() reads `blocks` blocks of 8 rows into half r of the tile.
#pragma once

#include "kernels/avx2_q8_tile.hpp"

namespace fathom::kernels::avx2 {
namespace {

// Sixteen bytes a row whose low nibbles are values 0-15 of the block and whose high ones are 16-31.
FATHOM_INLINE void nibbles32(const Rows& rows, int64_t offset, __m256i (&out)[8]) {
  __m256i bytes[4];
  columns16(rows, offset, bytes);
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    out[c] = low_nibbles(bytes[c]);
    out[c + 4] = high_nibbles(bytes[c]);
  }
}

// Adds the fifth bits: bit k of 32 in each row belongs to value k.
FATHOM_INLINE void add_fifth_bits(__m256i bits, __m256i (&codes)[8]) {
  const __m256i first_bytes = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12,  //
                                               0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m256i spread = _mm256_shuffle_epi8(bits, _mm256_add_epi8(first_bytes, _mm256_set1_epi8(char(c))));
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256i bit = _mm256_set1_epi32(h ? int(0x80402010) : 0x08040201);
      const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
      codes[2 * c + h] = _mm256_or_si256(codes[2 * c + h], mask(set, 16));
    }
  }
}

template <typename F>
FATHOM_INLINE void set_codes(Tile<F>& tile, int block, int r, const __m256i (&codes)[8]) {
#pragma GCC unroll 8
  for (int d = 0; d < 8; ++d) tile.codes[block][0][d][r] = codes[d];
}

struct Q4_0 : Traits {
  static constexpr int kValues = 32, kBytes = 18, kBias = 8;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<Q4_0>& out, Ahead<Q4_0>& ahead) {
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
      __m256i codes[8];
      nibbles32(rows, b * kBytes + 2, codes);
      set_codes(out, b, r, codes);
      out.scale[b][r] = halves(rows, b * kBytes);
    }
  }
};

struct Q4_1 : Traits {
  static constexpr int kValues = 32, kBytes = 20;
  static constexpr bool kMin = true;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<Q4_1>& out, Ahead<Q4_1>& ahead) {
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
      __m256i codes[8];
      nibbles32(rows, b * kBytes + 4, codes);
      set_codes(out, b, r, codes);
      split_halves(words32(rows, b * kBytes), out.scale[b][r], out.min[b][r]);
    }
  }
};

struct Q5_0 : Traits {
  static constexpr int kValues = 32, kBytes = 22, kRun = 4, kBias = 16;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<Q5_0>& out, Ahead<Q5_0>& ahead) {
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
      __m256i codes[8];
      nibbles32(rows, b * kBytes + 6, codes);
      add_fifth_bits(words32(rows, b * kBytes + 2), codes);
      set_codes(out, b, r, codes);
      out.scale[b][r] = halves(rows, b * kBytes);
    }
  }
};

struct Q5_1 : Traits {
  static constexpr int kValues = 32, kBytes = 24, kRun = 4;
  static constexpr bool kMin = true;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<Q5_1>& out, Ahead<Q5_1>& ahead) {
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
      __m256i codes[8];
      nibbles32(rows, b * kBytes + 8, codes);
      add_fifth_bits(words32(rows, b * kBytes + 4), codes);
      set_codes(out, b, r, codes);
      split_halves(words32(rows, b * kBytes), out.scale[b][r], out.min[b][r]);
    }
  }
};

struct Q8_0 : Traits {
  static constexpr int kValues = 32, kBytes = 34, kPlanes = 2, kBias = 128;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<Q8_0>& out, Ahead<Q8_0>& ahead) {
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
#pragma GCC unroll 2
      for (int p = 0; p < 2; ++p) {
        __m256i bytes[4];
        columns16(rows, b * kBytes + 2 + 16 * p, bytes);
#pragma GCC unroll 4
        for (int c = 0; c < 4; ++c) {
          set_bytes(out, b, 4 * p + c, r, _mm256_xor_si256(bytes[c], _mm256_set1_epi8(-128)));
        }
      }
      out.scale[b][r] = halves(rows, b * kBytes);
    }
  }
};

struct IQ4_NL : Traits {
  static constexpr int kValues = 32, kBytes = 18, kPlanes = 2, kBias = 128;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<IQ4_NL>& out, Ahead<IQ4_NL>& ahead) {
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
      __m256i codes[8];
      nibbles32(rows, b * kBytes + 2, codes);
#pragma GCC unroll 8
      for (int d = 0; d < 8; ++d) set_iq4(out, b, d, r, codes[d]);
      out.scale[b][r] = halves(rows, b * kBytes);
    }
  }
};

// Codes are twice the values, plus 12.
struct MXFP4 : Traits {
  static constexpr int kValues = 32, kBytes = 17, kRun = 4, kBias = 12;
  static FATHOM_INLINE void decode(const Rows& rows, int blocks, int r, Tile<MXFP4>& out, Ahead<MXFP4>& ahead) {
    const __m128i levels = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    for (int b = 0; b < blocks; ++b) {
      ahead.step();
      __m256i codes[8];
      nibbles32(rows, b * kBytes + 1, codes);
#pragma GCC unroll 8
      for (int d = 0; d < 8; ++d) codes[d] = look_up(levels, codes[d]);
      set_codes(out, b, r, codes);
      const __m256i words = _mm256_cvtepu16_epi32(words16(rows, b * kBytes));
      out.scale[b][r] = half_powers(_mm256_and_si256(words, _mm256_set1_epi32(255)));
    }
  }

  // 2^(e - 128): subnormal for e < 2, NaN for 255.
  static FATHOM_INLINE __m256 half_powers(__m256i e) {
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i power = _mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e));
    const __m256i nan = _mm256_cmpeq_epi32(e, _mm256_set1_epi32(255));  // all ones
    return _mm256_castsi256_ps(_mm256_or_si256(power, nan));
  }
};

}  // namespace
}  // namespace fathom::kernels::avx2
