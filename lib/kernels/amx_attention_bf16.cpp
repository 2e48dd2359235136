// Attention by AMX in BF16: queries, keys, weights and values are rounded, sums are F32.
//
// Of an instruction's operands the first is rows as they lie, the second pairs of consecutive terms of its sums, for 16
// columns. So keys are the first and queries, turned once for all pages, the second; weights are the first and values, whose
// rows are paired, the second.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/amx_tiles.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::amx_int8 {
namespace {

constexpr int64_t kTile = 16, kLine = kBf16LineValues, kRows = kBf16PageRows;
constexpr int64_t kTileValues = kTile * kLine;
constexpr int64_t kAheadRows = 16;  // memory is asked for rows this far ahead
constexpr int64_t kQueries = 64;    // whose weights are rounded at once

using Tile = __m512i[kTile];

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// The first `count` of 16 lanes.
FATHOM_INLINE __mmask16 first_lanes(int64_t count) {
  return count >= kTile ? 0xffff : count <= 0 ? 0 : __mmask16((1u << count) - 1);
}

// ---- Formats: columns [k, k + 32) of a row, kLineBytes, as BF16, zeros from column `end` on.

FATHOM_INLINE __m512i to_bf16(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

struct F32 {
  static constexpr int64_t kLineBytes = 128;
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t end) {
    const float* at = reinterpret_cast<const float*>(row) + k;
    return to_bf16(_mm512_maskz_loadu_ps(first_lanes(end - k), at),
                   _mm512_maskz_loadu_ps(first_lanes(end - k - kTile), at + kTile));
  }
};

struct F16 {
  static constexpr int64_t kLineBytes = 64;
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t end) {
    const uint8_t* at = row + 2 * k;
    return to_bf16(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(end - k), at)),
                   _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(end - k - kTile), at + 2 * kTile)));
  }
};

struct BF16 {
  static constexpr int64_t kLineBytes = 64;
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t end) {
    const int64_t count = end - k;
    return _mm512_maskz_loadu_epi16(count >= kLine ? ~__mmask32(0) : (__mmask32(1) << count) - 1, row + 2 * k);
  }
};

// Of 32 values the scale in F16, then the integers.
struct Q8_0 {
  static constexpr int64_t kLineBytes = 34;
  static FATHOM_INLINE __m512i load(const uint8_t* row, int64_t k, int64_t) {
    const uint8_t* const block = row + k / kLine * kLineBytes;
    uint16_t bits;
    __builtin_memcpy(&bits, block, sizeof bits);
    const __m512 scale = _mm512_set1_ps(_cvtsh_ss(bits));
    const auto values = [&](const uint8_t* codes) __attribute__((always_inline)) {
      const __m512i wide = _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
      return _mm512_mul_ps(scale, _mm512_cvtepi32_ps(wide));
    };
    return to_bf16(values(block + 2), values(block + 2 + kTile));
  }
};

template <typename F>
void round_rows(const WeightRows& w, int64_t rows, uint16_t* page) {
  const int64_t stride = bf16_page_stride(w.cols), whole = w.cols / kLine * kLine;
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* row = w.data + r * w.row_bytes;
    const uint8_t* ahead = w.data + smaller(r + kAheadRows, rows - 1) * w.row_bytes;
    uint16_t* const out = page + r * stride;
    for (int64_t k = 0; k < whole; k += kLine) {
      for (int64_t at = 0; at < F::kLineBytes; at += 64) _mm_prefetch(ahead + k / kLine * F::kLineBytes + at, _MM_HINT_T1);
      _mm512_store_si512(out + k, F::load(row, k, k + kLine));
    }
    if (whole < w.cols) _mm512_store_si512(out + whole, F::load(row, whole, w.cols));
  }
  for (int64_t r = rows; r < kRows; ++r) {
    for (int64_t k = 0; k < w.cols; k += kLine) _mm512_store_si512(page + r * stride + k, _mm512_setzero_si512());
  }
}

FATHOM_INLINE void store_sums(const Tile (&keys)[kRows / kTile], int64_t count, float* y) {
  for (int64_t t = 0; t < kRows / kTile; ++t) {
    __m512i rows[kTile];
#pragma GCC unroll 16
    for (int64_t i = 0; i < kTile; ++i) rows[i] = keys[t][i];
    transpose(rows);
    for (int64_t i = 0; i < count; ++i) _mm512_storeu_si512(y + i * kRows + t * kTile, rows[i]);
  }
}

// Rows of 64 weights, rounded.
FATHOM_INLINE void round_weights(const float* weights, int64_t count, uint16_t (*out)[kRows]) {
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t n = 0; n < kRows; n += kLine) {
      const uint8_t* const row = reinterpret_cast<const uint8_t*>(weights + i * kRows);
      _mm512_store_si512(&out[i][n], F32::load(row, n, kRows));
    }
  }
}

// 32 columns of a page of values as second operands: of rows [0, 32) and [32, 64), the first 16 columns and the others.
struct PairedValues {
  Tile of[2][2];
};

FATHOM_INLINE void pair_values(const uint16_t* page, int64_t stride, PairedValues& out) {
  const __m512i lower = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36,
                                         4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i upper = _mm512_add_epi16(lower, _mm512_set1_epi16(kTile));
  for (int64_t half = 0; half < 2; ++half) {
#pragma GCC unroll 4
    for (int64_t j = 0; j < kTile; ++j) {
      const uint16_t* const row = page + (half * kLine + 2 * j) * stride;
      const __m512i even = _mm512_load_si512(row), odd = _mm512_load_si512(row + stride);
      out.of[half][0][j] = _mm512_permutex2var_epi16(even, lower, odd);
      out.of[half][1][j] = _mm512_permutex2var_epi16(even, upper, odd);
    }
  }
}

// Tiles 0 and 1 are sums of so many queries and columns, tiles 2 and 3 weights of rows [0, 32) and [32, 64), tiles 4 to 7
// values.
AmxShapes shapes_of_sums(int64_t queries, int64_t columns) {
  AmxShapes shapes;
  const int64_t first = smaller(columns, kTile), second = columns > kTile ? columns - kTile : kTile;
  shapes.set(0, queries, 4 * first);
  shapes.set(1, queries, 4 * second);
  shapes.set(2, queries, 64);
  shapes.set(3, queries, 64);
  shapes.set(4, kTile, 4 * first);
  shapes.set(5, kTile, 4 * second);
  shapes.set(6, kTile, 4 * first);
  shapes.set(7, kTile, 4 * second);
  return shapes;
}

FATHOM_INLINE void add_sums(const uint16_t (*weights)[kRows], const PairedValues& values, bool second, float* y,
                            int64_t y_stride) {
  _tile_loadd(0, y, 4 * y_stride);
  _tile_loadd(2, weights[0], 2 * kRows);
  _tile_loadd(3, weights[0] + kLine, 2 * kRows);
  _tile_loadd(4, values.of[0][0], 64);
  _tile_loadd(6, values.of[1][0], 64);
  _tile_dpbf16ps(0, 2, 4);
  if (second) {
    _tile_loadd(1, y + kTile, 4 * y_stride);
    _tile_loadd(5, values.of[0][1], 64);
    _tile_loadd(7, values.of[1][1], 64);
    _tile_dpbf16ps(1, 2, 5);
    _tile_dpbf16ps(1, 3, 7);
    _tile_stored(1, y + kTile, 4 * y_stride);
  }
  _tile_dpbf16ps(0, 3, 6);
  _tile_stored(0, y, 4 * y_stride);
}

// Whole tiles of `queries` weights each, `count` in all, over columns [first, last), at most `step` at once.
void add_columns(const uint16_t* page, int64_t stride, int64_t first, int64_t last, int64_t step,
                 const uint16_t (*weights)[kRows], int64_t count, int64_t queries, float* y, int64_t y_stride) {
  if (first >= last || count == 0) return;
  const AmxRegisters registers(shapes_of_sums(queries, step));
  // 32 columns are paired while the 32 before are multiplied
  PairedValues values[2];
  pair_values(page + first, stride, values[0]);
  for (int64_t k = first, turn = 0; k < last; k += step, ++turn) {
    if (k + step < last) pair_values(page + k + step, stride, values[(turn + 1) % 2]);
    for (int64_t i = 0; i < count; i += queries)
      add_sums(weights + i, values[turn % 2], step > kTile, y + i * y_stride + k, y_stride);
  }
}

}  // namespace

void arrange_queries(const float* x, int64_t x_stride, int64_t m, int64_t cols, uint16_t* queries) {
  for (int64_t i = 0; i < m; i += kTile) {
    for (int64_t k = 0; k < cols; k += kLine, queries += kTileValues) {
      __m512i rows[kTile];
#pragma GCC unroll 16
      for (int64_t j = 0; j < kTile; ++j) {
        const uint8_t* const row = reinterpret_cast<const uint8_t*>(x + (i + j) * x_stride);
        rows[j] = i + j < m ? F32::load(row, k, cols) : _mm512_setzero_si512();
      }
      transpose(rows);
#pragma GCC unroll 16
      for (int64_t j = 0; j < kTile; ++j) _mm512_store_si512(queries + j * kLine, rows[j]);
    }
  }
}

void attention_products(const uint16_t* page, int64_t cols, const uint16_t* queries, int64_t m, float* y) {
  const AmxRegisters registers(whole_tiles());
  const int64_t stride = bf16_page_stride(cols);
  for (int64_t i = 0; i < m; i += kTile, y += kTile * kRows) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < cols; k += kLine, queries += kTileValues) {
      _tile_loadd(4, queries, 64);
      _tile_loadd(5, page + k, 2 * stride);
      _tile_dpbf16ps(0, 5, 4);
      _tile_loadd(6, page + kTile * stride + k, 2 * stride);
      _tile_dpbf16ps(1, 6, 4);
      _tile_loadd(7, page + 2 * kTile * stride + k, 2 * stride);
      _tile_dpbf16ps(2, 7, 4);
      _tile_loadd(5, page + 3 * kTile * stride + k, 2 * stride);
      _tile_dpbf16ps(3, 5, 4);
    }
    Tile sums[kRows / kTile];
    _tile_stored(0, sums[0], 64);
    _tile_stored(1, sums[1], 64);
    _tile_stored(2, sums[2], 64);
    _tile_stored(3, sums[3], 64);
    store_sums(sums, smaller(kTile, m - i), y);
  }
}

void attention_sums(const uint16_t* page, int64_t page_cols, int64_t cols, const float* weights, int64_t m, float* y,
                    int64_t y_stride) {
  const int64_t stride = bf16_page_stride(page_cols), whole_columns = cols / kLine * kLine;
  alignas(64) uint16_t rounded[kQueries][kRows];
  for (int64_t i = 0; i < m; i += kQueries, weights += kQueries * kRows, y += kQueries * y_stride) {
    const int64_t count = smaller(kQueries, m - i), whole = count / kTile * kTile;
    round_weights(weights, count, rounded);
    const auto add = [&](int64_t first, int64_t last, int64_t step) {
      add_columns(page, stride, first, last, step, rounded, whole, kTile, y, y_stride);
      add_columns(page, stride, first, last, step, rounded + whole, count - whole, count - whole, y + whole * y_stride,
                  y_stride);
    };
    add(0, whole_columns, kLine);
    add(whole_columns, cols, cols - whole_columns);
  }
}

#define FATHOM_DEFINE(format, Name) \
  void round_rows_##format(const WeightRows& w, int64_t rows, uint16_t* page) { round_rows<Name>(w, rows, page); }
FATHOM_DEFINE(f32, F32)
FATHOM_DEFINE(f16, F16)
FATHOM_DEFINE(bf16, BF16)
FATHOM_DEFINE(q8_0, Q8_0)
#undef FATHOM_DEFINE

}  // namespace fathom::kernels::amx_int8
