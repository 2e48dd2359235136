// AVX2: formats in blocks of 32 values, decoded so that a lane is a row of weights (see Traits).
#pragma once

#include "kernels/avx2_q8_tile.hpp"

namespace fathom::kernels::avx2 {
namespace {

// Sixteen bytes a row whose low nibbles are values 0-15 of the block and whose high ones are 16-31. Calls
// emit(d, nibbles) in an order that keeps few registers busy.
template <typename AnyRows, typename Emit>
FATHOM_INLINE void nibbles32(const AnyRows& rows, int64_t offset, Emit&& emit) {
  __m256i bytes[4];
  columns16(rows, offset, bytes);
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    emit(c, low_nibbles(bytes[c]));
    emit(c + 4, high_nibbles(bytes[c]));
  }
}

// Fifth bits of columns 4d to 4d + 3 as 16; bit k of the 32 in each lane belongs to column k.
FATHOM_INLINE __m256i fifth_bits(__m256i bits, int d) {
  const __m256i first_bytes = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12,  //
                                               0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
  const __m256i spread = _mm256_shuffle_epi8(bits, _mm256_add_epi8(first_bytes, _mm256_set1_epi8(char(d / 2))));
  const __m256i bit = _mm256_set1_epi32(d % 2 ? int(0x80402010) : 0x08040201);
  return mask(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit), 16);
}

template <typename F, typename AnyRows>
FATHOM_INLINE void set_scales(const AnyRows& rows, int blocks, int r, Tile<F>& out) {
  for (int b = 0; b < blocks; ++b) out.scale[b][r] = halves(rows, b * F::kBytes);
}

template <typename F, typename AnyRows>
FATHOM_INLINE void set_scales_and_mins(const AnyRows& rows, int blocks, int r, Tile<F>& out) {
  for (int b = 0; b < blocks; ++b) split_halves(words32(rows, b * F::kBytes), out.scale[b][r], out.min[b][r]);
}

struct Q4_0 : Traits {
  static constexpr int kValues = 32, kBytes = 18, kBias = 8;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q4_0>& out) { set_scales(rows, blocks, r, out); }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    nibbles32(rows, b * kBytes + 2, [&](int d, __m256i nibbles) { emit(0, d, nibbles); });
  }
};

struct Q4_1 : Traits {
  static constexpr int kValues = 32, kBytes = 20;
  static constexpr bool kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q4_1>& out) {
    set_scales_and_mins(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    nibbles32(rows, b * kBytes + 4, [&](int d, __m256i nibbles) { emit(0, d, nibbles); });
  }
};

struct Q5_0 : Traits {
  static constexpr int kValues = 32, kBytes = 22, kRun = 4, kBias = 16;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q5_0>& out) { set_scales(rows, blocks, r, out); }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    const __m256i bits = words32(rows, b * kBytes + 2);
    nibbles32(rows, b * kBytes + 6,
              [&](int d, __m256i nibbles) { emit(0, d, _mm256_or_si256(nibbles, fifth_bits(bits, d))); });
  }
};

struct Q5_1 : Traits {
  static constexpr int kValues = 32, kBytes = 24, kRun = 4;
  static constexpr bool kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q5_1>& out) {
    set_scales_and_mins(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    const __m256i bits = words32(rows, b * kBytes + 4);
    nibbles32(rows, b * kBytes + 8,
              [&](int d, __m256i nibbles) { emit(0, d, _mm256_or_si256(nibbles, fifth_bits(bits, d))); });
  }
};

struct Q8_0 : Traits {
  static constexpr int kValues = 32, kBytes = 34;
  static constexpr bool kSigned = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q8_0>& out) { set_scales(rows, blocks, r, out); }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      __m256i bytes[4];
      columns16(rows, b * kBytes + 2 + 16 * p, bytes);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) emit(0, 4 * p + c, bytes[c]);
    }
  }
};

struct IQ4_NL : Traits {
  static constexpr int kValues = 32, kBytes = 18;
  static constexpr bool kSigned = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<IQ4_NL>& out) { set_scales(rows, blocks, r, out); }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    nibbles32(rows, b * kBytes + 2, [&](int d, __m256i nibbles) { emit(0, d, look_up(iq4_levels(), nibbles)); });
  }
};

// Codes are twice the values, plus 12.
struct MXFP4 : Traits {
  static constexpr int kValues = 32, kBytes = 17, kRun = 4, kBias = 12;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<MXFP4>& out) {
    for (int b = 0; b < blocks; ++b) {
      const __m256i words = _mm256_cvtepu16_epi32(words16(rows, b * kBytes));
      out.scale[b][r] = half_powers(_mm256_and_si256(words, _mm256_set1_epi32(255)));
    }
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    const __m128i levels = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    nibbles32(rows, b * kBytes + 1, [&](int d, __m256i nibbles) { emit(0, d, look_up(levels, nibbles)); });
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
