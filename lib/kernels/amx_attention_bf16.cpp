// Attention of many queries by AMX: queries, keys, weights and values are rounded to BF16 as they are read, sums are F32.
//
// Queries and weights are rows of a tile. Keys are turned, values are not: what the instruction wants of its second operand is pairs of
// consecutive terms of a sum, for 16 columns of the result.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/amx_tiles.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::amx_int8 {
namespace {

constexpr int64_t kTile = 16, kBlock = 32;  // rows of a tile; terms of an instruction's sums
constexpr int64_t kQueries = 64, kKeys = 64, kGroup = 256;  // worked on at once; columns of keys
constexpr int64_t kStride = kGroup + kBlock;  // rows a power of two apart would meet in few sets of the cache

using Block = __m512i[kTile];        // lane r of vector j: terms 2j and 2j + 1 of column r
using Sums = float[kTile][kTile];

struct Scratch {
  alignas(64) uint16_t rows[kQueries][kStride];
  Block columns[kKeys / kTile][kGroup / kBlock];
  Sums sums[kQueries / kTile][kKeys / kTile];
};
static_assert(sizeof(Scratch) <= kBf16AttentionScratch);

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t tiles_of(int64_t rows) { return (rows + kTile - 1) / kTile; }

// The first `count` of 16 lanes.
FATHOM_INLINE __mmask16 first_lanes(int64_t count) { return count >= kTile ? 0xffff : count <= 0 ? 0 : __mmask16((1u << count) - 1); }

// ---- Formats: columns [k, k + 32) of a row as BF16, zeros from column `end` on.

FATHOM_INLINE __m512i to_bf16(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

struct F32 {
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t end) {
    const float* at = reinterpret_cast<const float*>(row) + k;
    return to_bf16(_mm512_maskz_loadu_ps(first_lanes(end - k), at), _mm512_maskz_loadu_ps(first_lanes(end - k - kTile), at + kTile));
  }
};

struct F16 {
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t end) {
    const uint8_t* at = row + 2 * k;
    return to_bf16(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(end - k), at)),
                   _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(end - k - kTile), at + 2 * kTile)));
  }
};

struct BF16 {
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t end) {
    const int64_t count = end - k;
    return _mm512_maskz_loadu_epi16(count >= kBlock ? ~__mmask32(0) : (__mmask32(1) << count) - 1, row + 2 * k);
  }
};

// ---- Both steps.

// Rows [0, m) of x, columns [k, k + count), into scratch; zeros up to whole blocks, and rows of zeros up to whole tiles.
void round_rows(const float* x, int64_t x_stride, int64_t m, int64_t k, int64_t count, Scratch& work) {
  for (int64_t i = 0; i < kTile * tiles_of(m); ++i) {
    for (int64_t c = 0; c < count; c += kBlock) {
      const uint8_t* const row = reinterpret_cast<const uint8_t*>(x + i * x_stride + k);
      _mm512_store_si512(&work.rows[i][c], i < m ? F32::load(row, c, count) : _mm512_setzero_si512());
    }
  }
}

// sums[a][t], of up to two tiles of rows by two of columns, from scratch's rows and columns; added to, or begun.
void multiply(Scratch& work, int64_t a, int64_t t, bool both_rows, bool both_columns, int64_t blocks, bool begin) {
  if (begin) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, work.sums[a][t], 64);
    if (both_columns) _tile_loadd(1, work.sums[a][t + 1], 64);
    if (both_rows) _tile_loadd(2, work.sums[a + 1][t], 64);
    if (both_rows && both_columns) _tile_loadd(3, work.sums[a + 1][t + 1], 64);
  }
  for (int64_t b = 0; b < blocks; ++b) {
    _tile_loadd(4, &work.rows[a * kTile][b * kBlock], 2 * kStride);
    _tile_loadd(6, work.columns[t][b], 64);
    _tile_dpbf16ps(0, 4, 6);
    if (both_columns) {
      _tile_loadd(7, work.columns[t + 1][b], 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if (both_rows) {
      _tile_loadd(5, &work.rows[(a + 1) * kTile][b * kBlock], 2 * kStride);
      _tile_dpbf16ps(2, 5, 6);
      if (both_columns) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, work.sums[a][t], 64);
  if (both_columns) _tile_stored(1, work.sums[a][t + 1], 64);
  if (both_rows) _tile_stored(2, work.sums[a + 1][t], 64);
  if (both_rows && both_columns) _tile_stored(3, work.sums[a + 1][t + 1], 64);
}

void multiply_all(Scratch& work, int64_t row_tiles, int64_t column_tiles, int64_t blocks, bool begin) {
  for (int64_t a = 0; a < row_tiles; a += 2) {
    for (int64_t t = 0; t < column_tiles; t += 2) multiply(work, a, t, a + 1 < row_tiles, t + 1 < column_tiles, blocks, begin);
  }
}

// 32 columns of 16 keys as a block.
template <typename F>
void turn_keys(const WeightRows& w, int64_t first, int64_t rows, int64_t k, Block& out) {
  __m512i columns[kTile];
#pragma GCC unroll 16
  for (int64_t r = 0; r < kTile; ++r) {
    columns[r] = first + r < rows ? F::load(w.data + (first + r) * w.row_bytes, k, w.cols) : _mm512_setzero_si512();
  }
  transpose(columns);
#pragma GCC unroll 16
  for (int64_t r = 0; r < kTile; ++r) out[r] = columns[r];
}

template <typename F>
void products(const WeightRows& w, int64_t rows, const float* x, int64_t x_stride, int64_t m, void* scratch, float* y, int64_t y_stride) {
  const AmxRegisters registers(whole_tiles());
  Scratch& work = *static_cast<Scratch*>(scratch);
  for (int64_t i = 0; i < m; i += kQueries, x += kQueries * x_stride, y += kQueries * y_stride) {
    const int64_t count = smaller(kQueries, m - i);
    for (int64_t k = 0; k < w.cols; k += kGroup) {
      const int64_t columns = smaller(kGroup, w.cols - k), blocks = (columns + kBlock - 1) / kBlock;
      round_rows(x, x_stride, count, k, columns, work);
      for (int64_t t = 0; t < tiles_of(rows); ++t) {
        for (int64_t b = 0; b < blocks; ++b) turn_keys<F>(w, t * kTile, rows, k + b * kBlock, work.columns[t][b]);
      }
      multiply_all(work, tiles_of(count), tiles_of(rows), blocks, k == 0);
    }
    for (int64_t t = 0; t < tiles_of(rows); ++t) {
      const __mmask16 there = first_lanes(rows - t * kTile);
      for (int64_t r = 0; r < count; ++r) {
        _mm512_mask_storeu_ps(y + r * y_stride + t * kTile, there, _mm512_load_ps(work.sums[r / kTile][t][r % kTile]));
      }
    }
  }
}

// 32 rows of values from n on, columns [k, k + 32), as the blocks of two tiles.
template <typename F>
void pair_values(const WeightRows& w, int64_t n, int64_t rows, int64_t k, Block& first, Block& second) {
  const __m512i lower = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34,
                                         2, 33, 1, 32, 0);
  const __m512i upper = _mm512_add_epi16(lower, _mm512_set1_epi16(kTile));
#pragma GCC unroll 16
  for (int64_t j = 0; j < kTile; ++j) {
    const auto row = [&](int64_t r) __attribute__((always_inline)) {
      return r < rows ? F::load(w.data + r * w.row_bytes, k, w.cols) : _mm512_setzero_si512();
    };
    const __m512i even = row(n + 2 * j), odd = row(n + 2 * j + 1);
    first[j] = _mm512_permutex2var_epi16(even, lower, odd);
    second[j] = _mm512_permutex2var_epi16(even, upper, odd);
  }
}

template <typename F>
void sums(const WeightRows& w, int64_t rows, const float* x, int64_t x_stride, int64_t m, void* scratch, float* y, int64_t y_stride) {
  const AmxRegisters registers(whole_tiles());
  Scratch& work = *static_cast<Scratch*>(scratch);
  const int64_t blocks = (rows + kBlock - 1) / kBlock;
  for (int64_t i = 0; i < m; i += kQueries, x += kQueries * x_stride, y += kQueries * y_stride) {
    const int64_t count = smaller(kQueries, m - i);
    round_rows(x, x_stride, count, 0, rows, work);
    for (int64_t k = 0; k < w.cols; k += kBlock) {
      for (int64_t b = 0; b < blocks; ++b) pair_values<F>(w, b * kBlock, rows, k, work.columns[0][b], work.columns[1][b]);
      multiply_all(work, tiles_of(count), 2, blocks, true);
      for (int64_t t = 0; t < 2; ++t) {
        const __mmask16 there = first_lanes(w.cols - k - t * kTile);
        for (int64_t r = 0; r < count; ++r) {
          float* const out = y + r * y_stride + k + t * kTile;
          const __m512 sum = _mm512_load_ps(work.sums[r / kTile][t][r % kTile]);
          _mm512_mask_storeu_ps(out, there, _mm512_add_ps(_mm512_maskz_loadu_ps(there, out), sum));
        }
      }
    }
  }
}

}  // namespace

#define FATHOM_DEFINE(format, Name)                                                                                                  \
  void attention_products_##format(const WeightRows& w, int64_t rows, const float* x, int64_t x_stride, int64_t m, void* scratch, \
                                   float* y, int64_t y_stride) {                                                                  \
    products<Name>(w, rows, x, x_stride, m, scratch, y, y_stride);                                                                \
  }                                                                                                                               \
  void attention_sums_##format(const WeightRows& w, int64_t rows, const float* x, int64_t x_stride, int64_t m, void* scratch,     \
                               float* y, int64_t y_stride) {                                                                      \
    sums<Name>(w, rows, x, x_stride, m, scratch, y, y_stride);                                                                    \
  }
FATHOM_DEFINE(f32, F32)
FATHOM_DEFINE(f16, F16)
FATHOM_DEFINE(bf16, BF16)
#undef FATHOM_DEFINE

}  // namespace fathom::kernels::amx_int8
