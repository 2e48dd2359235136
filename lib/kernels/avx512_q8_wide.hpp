// AVX-512: products with many rows of activations. 16 rows of weights are decoded and transposed once, so that a lane is a row
// of weights, and no sums are taken across lanes. The floating operations on an element are those of multiply_tile
// (avx512_q8_narrow.hpp), in its order.
#pragma once

#include "kernels/avx512_q8_group.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

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

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
