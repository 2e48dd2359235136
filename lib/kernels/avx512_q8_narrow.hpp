// AVX-512: products with few rows of activations. Two rows of weights are worked on at once, as 2 * 8 lanes fill a register.
// They lie half the range apart, so that memory sees two long streams: the processor prefetches those by itself, while
// neighbouring rows, read in turns, reach half the bandwidth.
#pragma once

#include "kernels/avx512_q8_group.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

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

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
