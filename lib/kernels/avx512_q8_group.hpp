// AVX-512: what the decoders of block formats and both ways through a product have in common: a group of two rows of weights as
// decoded, which multiplies groups of activations, and the group at the end of a row that is not whole.
#pragma once

#include "kernels/avx512_q8_dots.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

// One group of one row of activations, twice side by side: for the two rows of weights.
struct Activations {
  const int8_t* values;
  __m512 scales;
  __m512i sums16;  // 16-bit sums of 16 columns

  FATHOM_INLINE __m512i sums(int factor) const { return _mm512_madd_epi16(sums16, _mm512_set1_epi16(int16_t(factor))); }
};

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

// ---- Bits that several formats store alike.

// Nibbles of two blocks, whose low nibbles are values 0-15 and high ones 16-31. Leaves the upper halves of bytes to the caller.
FATHOM_INLINE __m512i split_nibbles(const uint8_t* first, const uint8_t* second) {
  const __m512i both = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(load128(first)), 0xff00, load128(second));
  return _mm512_srlv_epi16(
      both, _mm512_set_epi64(0x0004000400040004, 0x0004000400040004, 0, 0, 0x0004000400040004, 0x0004000400040004, 0, 0));
}

FATHOM_INLINE __m512i low_bits(__m512i bytes, int mask) { return _mm512_and_si512(bytes, _mm512_set1_epi8(int8_t(mask))); }

FATHOM_INLINE __m512i iq4_levels() {  // offset by kByteBias
  return from_signed(
      _mm512_broadcast_i32x4(_mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)));
}

// ---- Where activations are, and the end of a row.

FATHOM_INLINE QuantisedRows advance(const QuantisedRows& x, int64_t rows, int64_t cols) {
  const int64_t by = rows * x.cols + cols;
  return {x.values + by, x.scales + by / 32, x.sums + by / 16, x.cols};
}

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

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
