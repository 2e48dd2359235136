// AVX2: products of block-quantised weights with 8-bit activations.
//
// For block b of 32 columns, row n of w and row i of x, in ascending b:
//   dot_b    = the exact integer sum of code * x.value, with the format's offset (and its integer factors of 16 columns, if it
//              has them) taken into it;
//   y[i][n] += float(dot_b) * (scale_b * x.scale_b), then + min_b * (x.scale_b * x.sum_b) where the format has mins.
// This order is all that an element's bits depend on, so tiles may be chosen by the number of rows.
//
// 16 rows of weights of a group are decoded once into a tile whose lanes are rows (avx2_q8_tile.hpp), and all rows of
// activations pass over it, four at a time: no sums are taken across lanes, and products of pairs (maddubs) are added in 16
// bits as long as they fit. Rows as stored are 16 short streams to memory, which the processor does not prefetch by itself: the
// next 16 rows are asked for while these are worked on. Interleaved rows are one stream, and need not be turned.
#include "kernels/avx2_q8_blocks.hpp"
#include "kernels/avx2_q8_k_blocks.hpp"
#include "kernels/avx2_q8_tile.hpp"

namespace fathom::kernels::avx2 {
namespace {

constexpr int kActivations = 4;  // rows of activations that share a load of codes
constexpr int kTotals = 128;     // rows of activations a pass over a tile: 8 KB of totals

// Up to so many rows of activations, codes do not go through memory. Measured: with signed codes 4 rows gain, with others not.
template <typename F>
constexpr int kDirectRows = F::kSigned ? 4 : 3;

using Totals = float[kTileRows];

// What a group of one row of activations brings besides its values.
struct Terms {
  alignas(32) int32_t start[kGroupBlocks];  // minus the bias times the block's sum; with factors, half that of both halves: i16
  alignas(32) float sums[kGroupBlocks];     // the block's sum times its scale; with factors, the sums of both halves: i16
  alignas(32) float scales[kGroupBlocks];
};

// All ones in the first `blocks` lanes.
FATHOM_INLINE __m256i first_lanes(int blocks) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(blocks), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Of the group at x.
template <typename F>
FATHOM_INLINE void prepare(const QuantisedRows& x, int64_t row, int blocks, Terms& out) {
  const __m256i lanes = first_lanes(blocks);
  const __m256i sums = _mm256_maskload_epi32(reinterpret_cast<const int*>(x.sums + row * x.cols / 16), lanes);  // two i16 a block
  const __m256 scales = _mm256_maskload_ps(x.scales + row * x.cols / 32, lanes);
  _mm256_store_ps(out.scales, scales);
  __m256i* start = reinterpret_cast<__m256i*>(out.start);
  if constexpr (F::kFactors) {
    if constexpr (F::kBias) _mm256_store_si256(start, _mm256_mullo_epi16(sums, _mm256_set1_epi16(-F::kBias / 2)));
    if constexpr (F::kMin) _mm256_store_si256(reinterpret_cast<__m256i*>(out.sums), sums);
  } else {
    if constexpr (F::kBias) _mm256_store_si256(start, _mm256_madd_epi16(sums, _mm256_set1_epi16(-F::kBias)));
    if constexpr (F::kMin) {
      const __m256 whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
      _mm256_store_ps(out.sums, _mm256_mul_ps(scales, whole));
    }
  }
}

// What the integer sums of block b begin with.
template <typename F>
FATHOM_INLINE __m256i start_of(const Tile<F>& w, int b, int r, const Terms& terms) {
  if constexpr (!F::kBias) return _mm256_setzero_si256();
  const __m256i start = _mm256_set1_epi32(terms.start[b]);
  return F::kFactors ? _mm256_madd_epi16(w.sum_factors[b][r], start) : start;
}

// The floating part of block b.
template <typename F>
FATHOM_INLINE __m256 add_block(const Tile<F>& w, int b, int r, __m256i dots, const Terms& terms, __m256 sum) {
  const __m256 x_scale = _mm256_broadcast_ss(terms.scales + b);
  sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dots), _mm256_mul_ps(w.scale[b][r], x_scale), sum);
  if constexpr (F::kMin && F::kFactors) {
    const __m256i pair = _mm256_castps_si256(_mm256_broadcast_ss(terms.sums + b));
    const __m256 mins = _mm256_cvtepi32_ps(_mm256_madd_epi16(w.sum_factors[b][r], pair));
    sum = _mm256_fmadd_ps(mins, _mm256_mul_ps(w.min[0][r], x_scale), sum);
  } else if constexpr (F::kMin) {
    sum = _mm256_fmadd_ps(w.min[b][r], _mm256_broadcast_ss(terms.sums + b), sum);
  }
  return sum;
}

FATHOM_INLINE __m256i broadcast(const int8_t* x) {
  return _mm256_set1_epi32(load_as<int32_t>(reinterpret_cast<const uint8_t*>(x)));
}

// Multiplies the codes of columns 4d to 4d + 3 of block b. Products of pairs are added in `pairs` until a run is over. Signed
// codes give their sign to the activations, as the instruction wants one side unsigned; their products fill the 16 bits.
template <typename F>
FATHOM_INLINE void add_products(const Tile<F>& w, int b, int d, int r, __m256i codes, __m256i x, __m256i& pairs, __m256i& dots) {
  const __m256i one = _mm256_set1_epi16(1);
  if constexpr (F::kSigned) {
    const __m256i products = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    dots = _mm256_add_epi32(dots, _mm256_madd_epi16(products, one));
  } else {
    const __m256i products = _mm256_maddubs_epi16(codes, x);
    pairs = d % F::kRun ? _mm256_add_epi16(pairs, products) : products;
    if (d % F::kRun == F::kRun - 1) {
      dots = _mm256_add_epi32(dots, _mm256_madd_epi16(pairs, F::kFactors ? w.factors[2 * b + d / 4][r] : one));
    }
  }
}

// ---- Few rows of activations: codes are multiplied as they are decoded.

// Adds `blocks` blocks of 8 rows of weights, half r of a tile, times m rows of activations.
template <typename F, int m, typename AnyRows>
FATHOM_INLINE void multiply_direct(const AnyRows& rows, const Tile<F>& w, int r, int blocks, const QuantisedRows& x,
                                   const Terms* terms, Ahead<F>& ahead, Totals* totals) {
  constexpr int kStep = F::kStep, kRuns = 8 / F::kRun;
  __m256 sum[m];
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) sum[i] = _mm256_load_ps(totals[i] + 8 * r);
  for (int b = 0; b < blocks; b += kStep) {
    ahead.step();
    __m256i dots[kStep][m], pairs[kStep][kRuns][m];
#pragma GCC unroll 4
    for (int j = 0; j < kStep; ++j) {
#pragma GCC unroll 4
      for (int i = 0; i < m; ++i) dots[j][i] = start_of(w, b + j, r, terms[i]);
    }
    const int8_t* values = x.values + kBlockValues * b;
    F::codes(rows, b, [&](int j, int d, __m256i codes) __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int i = 0; i < m; ++i) {
        const __m256i four = broadcast(values + i * x.cols + kBlockValues * j + 4 * d);
        add_products<F>(w, b + j, d, r, codes, four, pairs[j][d / F::kRun][i], dots[j][i]);
      }
    });
#pragma GCC unroll 4
    for (int j = 0; j < kStep; ++j) {
#pragma GCC unroll 4
      for (int i = 0; i < m; ++i) sum[i] = add_block(w, b + j, r, dots[j][i], terms[i], sum[i]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) _mm256_store_ps(totals[i] + 8 * r, sum[i]);
}

// The rows of a tile, as they are stored: the last one stands in for those that are not there.
struct StoredTile {
  static constexpr bool kInterleaved = false;
  StoredTile(const WeightRows& w, int64_t first, int64_t count) {
    for (int64_t r = 0; r < kTileRows; ++r) rows[r] = w.data + (first + (r < count ? r : count - 1)) * w.row_bytes;
  }
  FATHOM_INLINE Rows half(int r, int64_t at) const { return {rows + 8 * r, at}; }

  const uint8_t* rows[kTileRows];
};

// And interleaved: one or two groups of 8.
struct InterleavedTile {
  static constexpr bool kInterleaved = true;
  InterleavedTile(const WeightRows& w, int64_t first, int64_t count)
      : groups{w.data + first * w.row_bytes, w.data + (first + (count > 8 ? 8 : 0)) * w.row_bytes} {}
  FATHOM_INLINE InterleavedRows half(int r, int64_t at) const { return {groups[r], at}; }

  const uint8_t* groups[2];
};

FATHOM_INLINE QuantisedRows advance(const QuantisedRows& x, int64_t rows, int64_t cols) {
  const int64_t by = rows * x.cols + cols;
  return {x.values + by, x.scales + by / 32, x.sums + by / 16, x.cols};
}

template <typename F>
constexpr int kGroupBytes = kGroupValues / F::kValues * F::kBytes;

FATHOM_INLINE int blocks_at(int64_t column, int64_t cols) {
  return cols - column < kGroupValues ? int((cols - column) / kBlockValues) : kGroupBlocks;
}

// All columns of a tile's first `halves` halves, times m rows of activations. Interleaved halves go one after the other, in the
// order of memory.
template <typename F, int m, typename TileRows>
void multiply_tile_direct(const TileRows& rows, int halves, int64_t cols, const QuantisedRows& x, Ahead<F>& ahead, Tile<F>& tile,
                          Totals* totals) {
  const int outer = TileRows::kInterleaved ? halves : 1, inner = TileRows::kInterleaved ? 1 : halves;
  for (int part = 0; part < outer; ++part) {
    int64_t at = 0;
    for (int64_t k = 0; k < cols; k += kGroupValues, at += kGroupBytes<F>) {
      const int blocks = blocks_at(k, cols);
      const QuantisedRows group = advance(x, 0, k);
      Terms terms[m];
#pragma GCC unroll 4
      for (int i = 0; i < m; ++i) prepare<F>(group, i, blocks, terms[i]);
      for (int r = part; r < part + inner; ++r) {
        const auto half = rows.half(r, at);
        F::terms(half, blocks, r, tile);
        multiply_direct<F, m>(half, tile, r, blocks, group, terms, ahead, totals);
      }
    }
  }
}

// ---- More rows of activations: codes are decoded into the tile.

template <typename F, typename TileRows>
void decode(const TileRows& rows, int64_t at, int blocks, Ahead<F>& ahead, Tile<F>& tile) {
  for (int r = 0; r < 2; ++r) {
    const auto half = rows.half(r, at);
    F::terms(half, blocks, r, tile);
    for (int b = 0; b < blocks; b += F::kStep) {
      ahead.step();
      F::codes(half, b, [&](int j, int d, __m256i codes) __attribute__((always_inline)) {
        tile.codes[b + j][d][r] = codes;
      });
    }
  }
}

// The integer sums of block b.
template <typename F, int m>
FATHOM_INLINE void block_dots(const Tile<F>& w, int b, const int8_t* x, int64_t x_stride, const Terms* terms,
                              __m256i (&dots)[m][2]) {
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r) dots[i][r] = start_of(w, b, r, terms[i]);
  }
  __m256i pairs[m][2];
#pragma GCC unroll 8
  for (int d = 0; d < 8; ++d) {
    const __m256i codes[2] = {w.codes[b][d][0], w.codes[b][d][1]};
#pragma GCC unroll 4
    for (int i = 0; i < m; ++i) {
      const __m256i four = broadcast(x + i * x_stride + 4 * d);
#pragma GCC unroll 2
      for (int r = 0; r < 2; ++r) add_products<F>(w, b, d, r, codes[r], four, pairs[i][r], dots[i][r]);
    }
  }
}

// Adds `blocks` blocks of m rows of activations.
template <typename F, int m>
void multiply(const Tile<F>& w, int blocks, const QuantisedRows& x, Totals* totals) {
  Terms terms[m];
  for (int i = 0; i < m; ++i) prepare<F>(x, i, blocks, terms[i]);
  __m256 sum[m][2];
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r) sum[i][r] = _mm256_load_ps(totals[i] + 8 * r);
  }
  for (int b = 0; b < blocks; ++b) {
    __m256i dots[m][2];
    block_dots<F, m>(w, b, x.values + kBlockValues * b, x.cols, terms, dots);
#pragma GCC unroll 4
    for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
      for (int r = 0; r < 2; ++r) sum[i][r] = add_block(w, b, r, dots[i][r], terms[i], sum[i][r]);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < 2; ++r) _mm256_store_ps(totals[i] + 8 * r, sum[i][r]);
  }
}

// How far ahead of a single stream its bytes are asked for, where the products take little time.
constexpr int64_t kStreamAhead = 4096;

template <typename F, typename TileRows>
void matmul_tiles(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
                  int64_t y_stride) {
  constexpr void (*kMultiply[])(const Tile<F>&, int, const QuantisedRows&, Totals*) = {multiply<F, 1>, multiply<F, 2>,
                                                                                       multiply<F, 3>, multiply<F, 4>};
  constexpr void (*kDirect[])(const TileRows&, int, int64_t, const QuantisedRows&, Ahead<F>&, Tile<F>&, Totals*) = {
      multiply_tile_direct<F, 1, TileRows>, multiply_tile_direct<F, 2, TileRows>, multiply_tile_direct<F, 3, TileRows>,
      multiply_tile_direct<F, 4, TileRows>};
  const bool direct = m <= kDirectRows<F>;
  alignas(64) Tile<F> tile;
  alignas(64) Totals totals[kTotals];
  for (int64_t n = first_row; n < last_row; n += kTileRows) {
    const int64_t count = last_row - n < kTileRows ? last_row - n : kTileRows;
    const TileRows rows(w, n, count);
    // The next tile's rows, or what is a little further on in the stream.
    const int64_t left = last_row - n - count, below = left < kTileRows ? left : kTileRows;
    const char* next = reinterpret_cast<const char*>(w.data + (n + count) * w.row_bytes);
    Ahead<F> ahead{next, next + below * w.row_bytes};
    if (TileRows::kInterleaved && direct) ahead.at = reinterpret_cast<const char*>(w.data + n * w.row_bytes) + kStreamAhead;
    for (int64_t part = 0; part < m; part += kTotals) {
      const int64_t part_m = m - part < kTotals ? m - part : kTotals;
      for (int64_t i = 0; i < part_m; ++i) {
        for (float& total : totals[i]) total = 0.0f;
      }
      if (direct) {
        kDirect[m - 1](rows, count > 8 ? 2 : 1, w.cols, x, ahead, tile, totals);
      } else {
        int64_t at = 0;
        for (int64_t k = 0; k < w.cols; k += kGroupValues, at += kGroupBytes<F>) {
          const int blocks = blocks_at(k, w.cols);
          decode(rows, at, blocks, ahead, tile);
          for (int64_t i = 0; i < part_m; i += kActivations) {
            const int64_t tile_m = part_m - i < kActivations ? part_m - i : kActivations;
            kMultiply[tile_m - 1](tile, blocks, advance(x, part + i, k), totals + i);
          }
        }
      }
      for (int64_t i = 0; i < part_m; ++i) {
        float* out = y + (part + i) * y_stride + n;
        if (count == kTileRows) {
          _mm256_storeu_ps(out, _mm256_load_ps(totals[i]));
          _mm256_storeu_ps(out + 8, _mm256_load_ps(totals[i] + 8));
        } else {
          for (int64_t r = 0; r < count; ++r) out[r] = totals[i][r];
        }
      }
    }
  }
}

template <typename F>
void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
            int64_t y_stride) {
  if constexpr (F::kBytes % 2 == 0) {
    if (w.interleaved) return matmul_tiles<F, InterleavedTile>(w, first_row, last_row, x, m, y, y_stride);
  }
  matmul_tiles<F, StoredTile>(w, first_row, last_row, x, m, y, y_stride);
}

#undef FATHOM_INLINE

}  // namespace

// What avx2.cpp makes its table of.
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

}  // namespace fathom::kernels::avx2
