// Attention to latents in fixed point by AMX, whose instructions multiply bytes: an integer is 128 * high + low, and a product of integers
// four products of bytes, each exact. The bits are those of fixed_point.cpp.
//
// Latents are keys as rows of a tile, 64 columns each, and queries the columns of the other operand. As values they are that operand, four
// rows side by side, and weights the rows. What is turned for both orders is queries, once, and results.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/amx_tiles.hpp"
#include "kernels/fixed_point_rows.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::amx_int8 {
namespace {

constexpr int kRows = kArrangedQueries;          // of a tile
constexpr int64_t kColumns = kArrangedColumns;  // of a tile, as bytes
constexpr int kLowBits = 7;

using Tile = int8_t[kRows][kColumns];

// Integers of a tile, and of a row of it.
struct SplitTile {
  alignas(64) Tile high, low;
};
struct SplitRow {
  __m512i high, low;
};

int64_t tiles_of(int64_t columns) { return (columns + kColumns - 1) / kColumns; }

// 64 integers as bytes. Column 16 j + 4 l + i lies at 16 l + 4 j + i: so packing leaves them.
FATHOM_INLINE SplitRow split(const __m512i (&sixteen)[4]) {
  const __m512i a = _mm512_packs_epi32(sixteen[0], sixteen[1]), b = _mm512_packs_epi32(sixteen[2], sixteen[3]);
  const __m512i mask = _mm512_set1_epi16((1 << kLowBits) - 1);
  return {_mm512_packs_epi16(_mm512_srai_epi16(a, kLowBits), _mm512_srai_epi16(b, kLowBits)),
          _mm512_packs_epi16(_mm512_and_si512(a, mask), _mm512_and_si512(b, mask))};
}

// Up to 64 columns of which the part has `count`, a multiple of 16; zeros behind them.
template <typename Load>
FATHOM_INLINE SplitRow split_columns(int64_t count, Load&& sixteen) {
  __m512i columns[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) columns[j] = 16 * j < count ? sixteen(16 * j) : _mm512_setzero_si512();
  return split(columns);
}

FATHOM_INLINE SplitRow fix_columns(const Part& part, int64_t k, int64_t end) {
  const __m512 inverse = _mm512_set1_ps(part.inverse);
  return split_columns(end - k, [&](int64_t j) __attribute__((always_inline)) {
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtph_ps(load(part.at + k + j)), inverse));
  });
}

FATHOM_INLINE void store_row(SplitTile& tile, int64_t row, const SplitRow& bytes) {
  _mm512_store_si512(tile.high[row], bytes.high);
  _mm512_store_si512(tile.low[row], bytes.low);
}

FATHOM_INLINE void transpose(Tile& tile) {
  __m512i rows[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) rows[i] = _mm512_load_si512(tile[i]);
  transpose(rows);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) _mm512_store_si512(tile[i], rows[i]);
}

// ---- Sums of products of bytes. Registers 0 to 3: high by high, high by low, low by high, low by low; 4, 5 the halves of the first
// operand; 6, 7 of the second. Four chains: an instruction takes longer than until the next may begin.

struct Sums {
  alignas(64) int32_t parts[4][kRows][16];

  FATHOM_INLINE __m512i row(int64_t i) const {
    const auto part = [&](int p) __attribute__((always_inline)) { return _mm512_load_si512(parts[p][i]); };
    const __m512i middle = _mm512_slli_epi32(_mm512_add_epi32(part(1), part(2)), kLowBits);
    return _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(part(0), 2 * kLowBits), part(3)), middle);
  }
};

FATHOM_INLINE void zero_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

FATHOM_INLINE void load_first(const SplitTile& a) {
  _tile_loadd(4, a.high, kColumns);
  _tile_loadd(5, a.low, kColumns);
}

FATHOM_INLINE void multiply_by(const SplitTile& b) {
  _tile_loadd(6, b.high, kColumns);
  _tile_loadd(7, b.low, kColumns);
  _tile_dpbssd(0, 4, 6);
  _tile_dpbssd(1, 4, 7);
  _tile_dpbssd(2, 5, 6);
  _tile_dpbssd(3, 5, 7);
}

FATHOM_INLINE void store_sums(Sums& sums) {
  _tile_stored(0, sums.parts[0], 64);
  _tile_stored(1, sums.parts[1], 64);
  _tile_stored(2, sums.parts[2], 64);
  _tile_stored(3, sums.parts[3], 64);
}

// `inner` bytes of the first operand's rows meet as many fourths of the second's rows.
FATHOM_INLINE AmxShapes shapes(int64_t inner) {
  AmxShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.set(tile, kRows, kColumns);
  for (int tile = 4; tile < 6; ++tile) shapes.set(tile, kRows, inner);
  for (int tile = 6; tile < 8; ++tile) shapes.set(tile, inner / 4, kColumns);
  return shapes;
}

// ---- Products.

// The largest magnitude of n halves, as bits.
FATHOM_INLINE uint16_t largest_half_512(const uint16_t* at, int64_t n) {
  const __m512i magnitude = _mm512_set1_epi16(0x7fff);
  __m512i most = _mm512_setzero_si512(), other = most;
  const auto larger = [&](__m512i than, __m512i values) __attribute__((always_inline)) {
    return _mm512_max_epi16(than, _mm512_and_si512(values, magnitude));
  };
  int64_t k = 0;
  for (; k + 64 <= n; k += 64) {
    most = larger(most, _mm512_loadu_si512(at + k));
    other = larger(other, _mm512_loadu_si512(at + k + 32));
  }
  for (; k < n; k += 16) most = larger(most, _mm512_zextsi256_si512(load(at + k)));
  most = _mm512_max_epi16(most, other);
  return largest_lane(_mm256_max_epi16(_mm512_castsi512_si256(most), _mm512_extracti64x4_epi64(most, 1)));
}

// The same part of sixteen rows.
struct Sixteen {
  Part parts[kRows];
  alignas(64) float scales[kRows];
};

void scale_sixteen(const uint16_t* const (&rows)[kRows], int64_t first, int64_t columns, Sixteen& out) {
  alignas(32) uint16_t most[kRows];
  for (int i = 0; i < kRows; ++i) most[i] = largest_half_512(rows[i] + first, columns);
  const __m256i bits = load(most);
  const __mmask16 finite = _mm256_cmplt_epu16_mask(bits, _mm256_set1_epi16(kInfinity16));
  const __m512 quotients = _mm512_div_ps(_mm512_cvtph_ps(bits), _mm512_set1_ps(float(kFixedLimit)));
  const __m512 scales = _mm512_mask_blend_ps(finite, _mm512_set1_ps(not_a_number()), quotients);
  const __mmask16 positive = _mm512_cmp_ps_mask(scales, _mm512_setzero_ps(), _CMP_GT_OQ);
  alignas(64) float inverses[kRows];
  _mm512_store_ps(inverses, _mm512_maskz_div_ps(positive, _mm512_set1_ps(1.0f), scales));
  _mm512_store_ps(out.scales, scales);
  for (int i = 0; i < kRows; ++i) out.parts[i] = {positive >> i & 1 ? rows[i] + first : kZeros, inverses[i]};
}

// 64 columns of sixteen rows.
FATHOM_INLINE void fix_tile(const Sixteen& rows, int64_t k, int64_t end, Ahead& ahead, SplitTile& out) {
  for (int64_t i = 0; i < kRows; ++i) {
    ahead.step();
    store_row(out, i, fix_columns(rows.parts[i], k, end));
  }
}

// Both parts' sums of products of sixteen rows and as many queries. A tile of keys is made while the one before is multiplied.
FATHOM_INLINE void multiply_sixteen(const Sixteen& shared_part, int64_t shared, const Sixteen& other_part, int64_t others,
                                    const SplitTile* queries, Ahead& ahead, Sums& shared_sums, Sums& other_sums) {
  const int64_t shared_tiles = tiles_of(shared), tiles = shared_tiles + tiles_of(others);
  SplitTile keys[2];
  const auto fix = [&](int64_t t) __attribute__((always_inline)) {
    const bool in_shared = t < shared_tiles;
    fix_tile(in_shared ? shared_part : other_part, (in_shared ? t : t - shared_tiles) * kColumns, in_shared ? shared : others, ahead,
             keys[t % 2]);
  };
  zero_sums();
  fix(0);
  for (int64_t t = 0; t <= tiles; ++t) {
    if (t + 1 < tiles) fix(t + 1);
    if (t == shared_tiles) {
      store_sums(shared_sums);
      zero_sums();
    }
    if (t == tiles) break;
    load_first(keys[t % 2]);
    multiply_by(queries[t]);
  }
  store_sums(other_sums);
}

// The scales of up to 16 queries, of one part; zeros behind them.
struct QueryScales {
  __m512 shared, other;

  FATHOM_INLINE QueryScales(const float* scales, int64_t count) {
    const __mmask32 there = count < kRows ? (uint32_t{1} << (2 * count)) - 1 : 0xffffffff;
    const __m512 a = _mm512_maskz_loadu_ps(__mmask16(there), scales), b = _mm512_maskz_loadu_ps(__mmask16(there >> 16), scales + 16);
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    shared = _mm512_permutex2var_ps(a, even, b);
    other = _mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
  }
};

// y[i][0 .. 16) of `count` queries i, from sums whose rows are keys.
FATHOM_INLINE void store_products(const Sixteen& shared_part, const Sums& shared_sums, const Sixteen& other_part, const Sums& other_sums,
                                  const QueryScales& queries, int64_t count, float* y) {
  __m512i rows[kRows];
  for (int64_t i = 0; i < kRows; ++i) {
    const __m512 shared_scale = _mm512_mul_ps(queries.shared, _mm512_set1_ps(shared_part.scales[i]));
    const __m512 other_scale = _mm512_mul_ps(queries.other, _mm512_set1_ps(other_part.scales[i]));
    const __m512 shared = _mm512_mul_ps(_mm512_cvtepi32_ps(shared_sums.row(i)), shared_scale);
    rows[i] = _mm512_castps_si512(_mm512_fmadd_ps(_mm512_cvtepi32_ps(other_sums.row(i)), other_scale, shared));
  }
  transpose(rows);
  for (int64_t i = 0; i < count; ++i) _mm512_storeu_si512(y + i * kFixedRows, rows[i]);
}

// ---- Sums.

constexpr int64_t kSumGroups = 2;  // of sixteen rows of results, at a time

// 64 columns of up to 64 rows as four second operands of 16 columns.
using ValueTiles = SplitTile[4];

// Four rows of bytes, in the order of split: lane 4 l + i of four[j] has those of column 16 j + 4 l + i.
FATHOM_INLINE void store_four_rows(const __m512i (&rows)[4], int8_t* const (&out)[4]) {
  const __m512i first_low = _mm512_unpacklo_epi8(rows[0], rows[1]), first_high = _mm512_unpackhi_epi8(rows[0], rows[1]);
  const __m512i second_low = _mm512_unpacklo_epi8(rows[2], rows[3]), second_high = _mm512_unpackhi_epi8(rows[2], rows[3]);
  _mm512_store_si512(out[0], _mm512_unpacklo_epi16(first_low, second_low));
  _mm512_store_si512(out[1], _mm512_unpackhi_epi16(first_low, second_low));
  _mm512_store_si512(out[2], _mm512_unpacklo_epi16(first_high, second_high));
  _mm512_store_si512(out[3], _mm512_unpackhi_epi16(first_high, second_high));
}

// Rows 4 * first to 4 * last.
FATHOM_INLINE void fix_values(const Part (&parts)[kFixedRows], int64_t first, int64_t last, int64_t k, int64_t end, Ahead& ahead,
                              ValueTiles& values) {
  for (int64_t four = first; four < last; ++four) {
    ahead.step();
    __m512i high[4], low[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const SplitRow bytes = fix_columns(parts[4 * four + i], k, end);
      high[i] = bytes.high;
      low[i] = bytes.low;
    }
    store_four_rows(high, {values[0].high[four], values[1].high[four], values[2].high[four], values[3].high[four]});
    store_four_rows(low, {values[0].low[four], values[1].low[four], values[2].low[four], values[3].low[four]});
  }
}

// Up to 16 rows of weights; zeros behind them.
FATHOM_INLINE void split_weights(const int16_t* weights, int64_t count, SplitTile& out) {
  const __m512i mask = _mm512_set1_epi16((1 << kLowBits) - 1);
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t n = 0; n < kFixedRows; n += 32) {
      const __m512i some = i < count ? _mm512_loadu_si512(weights + i * kFixedRows + n) : _mm512_setzero_si512();
      const auto put = [](int8_t* at, __m512i values) __attribute__((always_inline)) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtepi16_epi8(values));
      };
      put(out.high[i] + n, _mm512_srai_epi16(some, kLowBits));
      put(out.low[i] + n, _mm512_and_si512(some, mask));
    }
  }
}

FATHOM_INLINE void sum_sixteen(const SplitTile& weights, const SplitTile& values, Sums& sums) {
  zero_sums();
  load_first(weights);
  multiply_by(values);
  store_sums(sums);
}

// Sixteen columns of `count` rows of results.
FATHOM_INLINE void add_sixteen(const Sums& sums, const float* weight_scales, int64_t count, float* out, int64_t out_stride) {
  for (int64_t i = 0; i < count; ++i) {
    float* at = out + i * out_stride;
    const __m512 sum = _mm512_cvtepi32_ps(sums.row(i));
    _mm512_storeu_ps(at, _mm512_fmadd_ps(_mm512_set1_ps(weight_scales[i]), sum, _mm512_loadu_ps(at)));
  }
}

int64_t at_most_sixteen(int64_t count) { return count < kRows ? count : kRows; }

}  // namespace

void arrange_queries(const int16_t* queries, int64_t m, int64_t shared, int64_t cols, int16_t* out) {
  auto* tile = reinterpret_cast<SplitTile*>(out);
  for (int64_t first = 0; first < m; first += kRows) {
    const auto arrange_part = [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; k += kColumns, ++tile) {
        for (int64_t i = 0; i < kRows; ++i) {
          store_row(*tile, i, split_columns(first + i < m ? end - k : 0, [&](int64_t j) __attribute__((always_inline)) {
            return _mm512_cvtepi16_epi32(load(queries + (first + i) * cols + k + j));
          }));
        }
        transpose(tile->high);
        transpose(tile->low);
      }
    };
    arrange_part(0, shared);
    arrange_part(shared, cols);
  }
}

void fixed_products(const WeightRows& w, int64_t rows, int64_t shared, const int16_t* queries, const float* query_scales, int64_t m,
                    float* scales, float* y) {
  const int64_t tiles = tiles_of(shared) + tiles_of(w.cols - shared);
  const AmxRegisters registers(shapes(kColumns));
  for (int64_t first = 0; first < kFixedRows; first += kRows) {
    if (first >= rows) {
      clear(scales + first, kFixedRows - first);
      for (int64_t i = 0; i < m; ++i) clear(y + i * kFixedRows + first, kFixedRows - first);
      return;
    }
    const uint16_t* at[kRows];
    for (int64_t i = 0; i < kRows; ++i) at[i] = first + i < rows ? row_of(w, first + i) : kZeros;
    Sixteen shared_part, other_part;
    scale_sixteen(at, 0, shared, shared_part);
    scale_sixteen(at, shared, w.cols - shared, other_part);
    _mm512_storeu_ps(scales + first, _mm512_load_ps(shared_part.scales));
    Ahead ahead(w.data + (first + kAheadRows) * w.row_bytes, bytes_of_rows(w, rows, first + kAheadRows, kRows), tiles * kRows);
    for (int64_t i = 0; i < m; i += kRows) {
      const SplitTile* sixteen_queries = reinterpret_cast<const SplitTile*>(queries) + i / kRows * tiles;
      const int64_t count = at_most_sixteen(m - i);
      Sums shared_sums, other_sums;
      multiply_sixteen(shared_part, shared, other_part, w.cols - shared, sixteen_queries, ahead, shared_sums, other_sums);
      store_products(shared_part, shared_sums, other_part, other_sums, QueryScales(query_scales + 2 * i, count), count,
                     y + i * kFixedRows + first);
    }
  }
}

void fixed_sums(const WeightRows& w, int64_t rows, int64_t shared, const float* scales, const int16_t* weights,
                const float* weight_scales, int64_t m, const uint8_t* next, float* out, int64_t out_stride) {
  Part parts[kFixedRows];
  for (int64_t row = 0; row < kFixedRows; ++row) parts[row] = part_of(row < rows ? row_of(w, row) : kZeros, scales[row]);
  const int64_t fours = (rows + 3) / 4;
  const AmxRegisters registers(shapes(4 * fours));
  Ahead ahead(next, next ? kAheadRows * w.row_bytes : 0, fours * tiles_of(shared));
  for (int64_t first = 0; first < m; first += kSumGroups * kRows) {
    const int64_t end = m < first + kSumGroups * kRows ? m : first + kSumGroups * kRows;
    SplitTile some_weights[kSumGroups];
    Sums some_sums[kSumGroups];
    const auto for_groups = [&](auto&& go) __attribute__((always_inline)) {
      for (int64_t i = first; i < end; i += kRows) go((i - first) / kRows, i, at_most_sixteen(end - i));
    };
    for_groups([&](int64_t g, int64_t i, int64_t count) { split_weights(weights + i * kFixedRows, count, some_weights[g]); });
    // a tile of values is made while the one before is multiplied
    ValueTiles values[2];
    fix_values(parts, 0, fours, 0, shared, ahead, values[0]);
    for (int64_t k = 0; k < shared; k += 16) {
      const int64_t tile = k / kColumns, j = k % kColumns / 16;
      for_groups([&](int64_t g, int64_t, int64_t) __attribute__((always_inline)) {
        sum_sixteen(some_weights[g], values[tile % 2][j], some_sums[g]);
      });
      if (const int64_t after = (tile + 1) * kColumns; after < shared) {
        fix_values(parts, fours * j / 4, fours * (j + 1) / 4, after, shared, ahead, values[(tile + 1) % 2]);
      }
      for_groups([&](int64_t g, int64_t i, int64_t count) __attribute__((always_inline)) {
        add_sixteen(some_sums[g], weight_scales + i, count, out + i * out_stride + k, out_stride);
      });
    }
  }
}

}  // namespace fathom::kernels::amx_int8
