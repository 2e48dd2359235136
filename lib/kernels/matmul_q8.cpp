// Products of block-quantised weights with 8-bit activations. The build compiles this file for AVX2, for AVX-512, for AVX-512
// with VNNI and for AMX, by flags.
//
// For block b of 32 columns, row n of w and row i of x, in ascending b:
//   dot_b    = the exact integer sum of code * x.value, with the format's offset (and its integer factors of 16 columns, if it
//              has them) taken into it;
//   y[i][n] += float(dot_b) * (scale_b * x.scale_b), then + min_b * (x.scale_b * x.sum_b) where the format has mins.
// This order is all that an element's bits depend on, so tiles may be chosen by the number of rows, and all instruction sets
// give the same bits.
//
// 16 rows of weights of a group are decoded once into a tile whose lanes are rows (q8_tile.hpp), and all rows of activations
// pass over it, some at a time: no sums are taken across lanes. Without VNNI, products of pairs (maddubs) are added in 16 bits
// as long as they fit. Rows as stored are 16 short streams to memory, which the processor does not prefetch by itself: the next
// 16 rows are prefetched while these are worked on. Interleaved rows are one stream, and need not be turned; how it is
// prefetched is chosen by the caller (kernel_table.hpp, StreamPrefetch).
#include "kernels/q8_blocks.hpp"
#include "kernels/q8_k_blocks.hpp"
#include "kernels/q8_tile.hpp"
#ifdef FATHOM_AMX
#include "kernels/q8_amx.hpp"
#endif

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

constexpr int kActivations = kDotInstruction ? 8 : 4;  // rows of activations that share a load of codes
constexpr int kTotals = 128;                           // rows of activations a pass over a tile: 8 KB of totals

// Up to so many rows of activations, codes do not go through memory. Measured: without the dot instruction 4 rows gain with
// signed codes, with others not; with it 8, or 6 where sums of 16 columns are kept apart.
template <typename F, bool interleaved>
constexpr int kDirectRows = kDotInstruction && interleaved ? (F::kFactors ? 6 : 8)
                            : F::kSigned                   ? 4
                                                           : 3;

// Up to so many rows of activations AMX does not pay: its way through memory costs few rows what it costs 16.
[[maybe_unused]] constexpr int64_t kRowsWithoutAmx = 11;

// What codes in products are too large by: the instruction with four products takes signed codes made unsigned.
template <typename F>
constexpr int kCodeBias = F::kSigned && kDotInstruction ? 128 : F::kBias;

// Factors of 16 columns meet integers of 32 bits as floats, exactly; or products of pairs.
template <typename F>
constexpr bool kFloatFactors = F::kFactors && kDotInstruction;

using Totals = float[kTileRows];

// What a group of one row of activations brings besides its values.
template <typename F, int bias = kCodeBias<F>>
struct Terms {
  // Minus the bias times the block's sum; with float factors, of both halves; with others half that, of both halves: i16.
  alignas(32) int32_t start[bias ? 2 * kGroupBlocks : 0];
  alignas(32) float sums[F::kMin ? kGroupBlocks
                                 : 0];  // the block's sum times its scale; with factors, the sums of both halves: i16
  alignas(32) float scales[kGroupBlocks];
};

// All ones in the first `blocks` lanes.
FATHOM_INLINE __m256i first_lanes(int blocks) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(blocks), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Of the group at x.
template <typename F, int kBias>
FATHOM_INLINE void prepare(const QuantisedRows& x, int64_t row, int blocks, Terms<F, kBias>& out) {
  const __m256i lanes = first_lanes(blocks);
  const __m256i sums =
      _mm256_maskload_epi32(reinterpret_cast<const int*>(x.sums + row * (x.cols / 16)), lanes);  // two i16 a block
  const __m256 scales = _mm256_maskload_ps(x.scales + row * (x.cols / 32), lanes);
  _mm256_store_ps(out.scales, scales);
  [[maybe_unused]] __m256i* start = reinterpret_cast<__m256i*>(out.start);
  if constexpr (F::kFactors) {
    if constexpr (kBias && kFloatFactors<F>) {
      const __m256i minus_bias = _mm256_set1_epi32(-kBias);
      _mm256_store_si256(start, _mm256_mullo_epi32(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums)), minus_bias));
      _mm256_store_si256(start + 1, _mm256_mullo_epi32(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(sums, 1)), minus_bias));
    } else if constexpr (kBias) {
      _mm256_store_si256(start, _mm256_mullo_epi16(sums, _mm256_set1_epi16(-kBias / 2)));
    }
    if constexpr (F::kMin) _mm256_store_si256(reinterpret_cast<__m256i*>(out.sums), sums);
  } else {
    if constexpr (kBias) _mm256_store_si256(start, _mm256_madd_epi16(sums, _mm256_set1_epi16(-kBias)));
    if constexpr (F::kMin) {
      const __m256 whole = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
      _mm256_store_ps(out.sums, _mm256_mul_ps(scales, whole));
    }
  }
}

// The integer sums of a block of one part of a tile: of all columns in `low`, but where factors are floats, of the first 16
// columns there.
template <typename F>
struct Dots {
  Ints low, high;

  FATHOM_INLINE void begin(const Tile<F>& w, int b, int r, const Terms<F>& terms) {
    if constexpr (kFloatFactors<F>) high = zeros();
    if constexpr (!kCodeBias<F>) {
      low = zeros();
    } else if constexpr (kFloatFactors<F>) {
      low = all32(terms.start[2 * b]);
      high = all32(terms.start[2 * b + 1]);
    } else {
      low = all32(terms.start[b]);
      if constexpr (F::kFactors) low = madd16(w.sum_factors[b][r], low);
    }
  }

  FATHOM_INLINE Floats total(const Tile<F>& w, int b, int r) const {
    if constexpr (!kFloatFactors<F>) return to_floats(low);
    const Floats first = multiply_floats(as_floats(w.factors[2 * b][r]), to_floats(low));  // sums below 2^24, so exact
    return multiply_add(as_floats(w.factors[2 * b + 1][r]), to_floats(high), first);
  }
};

// The floating part of block b.
template <typename F, int bias>
FATHOM_INLINE Floats add_block(const Tile<F>& w, int b, int r, Floats dots, const Terms<F, bias>& terms, Floats sum) {
  const Floats x_scale = all_floats(terms.scales + b);
  sum = multiply_add(dots, multiply_floats(w.scale[b][r], x_scale), sum);
  if constexpr (F::kMin && F::kFactors) {
    const Ints pair = as_ints(all_floats(terms.sums + b));
    const Floats mins = to_floats(madd16(w.sum_factors[b][r], pair));
    sum = multiply_add(mins, multiply_floats(w.min[0][r], x_scale), sum);
  } else if constexpr (F::kMin) {
    sum = multiply_add(w.min[b][r], all_floats(terms.sums + b), sum);
  }
  return sum;
}

FATHOM_INLINE Ints broadcast(const int8_t* x) { return all32(load_as<int32_t>(reinterpret_cast<const uint8_t*>(x))); }

// Codes as products take them.
template <typename F>
FATHOM_INLINE Ints for_products(Ints codes) {
  return F::kSigned && kDotInstruction ? codes ^ all8(-128) : codes;
}

// Multiplies the codes of columns 4d to 4d + 3 of block b. Products of pairs are added in `pairs` until a run is over. Signed
// codes give their sign to the activations, as the instruction wants one side unsigned; their products fill the 16 bits.
template <typename F>
FATHOM_INLINE void add_products(const Tile<F>& w, int b, int d, int r, Ints codes, Ints x, Ints& pairs, Dots<F>& dots) {
  if constexpr (kDotInstruction) {
    Ints& sum = kFloatFactors<F> && d >= 4 ? dots.high : dots.low;
    sum = add_dot4(sum, codes, x);
  } else if constexpr (F::kSigned) {
    dots.low = add_dot4(dots.low, magnitudes(codes), with_signs(x, codes));
  } else {
    const Ints products = madd8(codes, x);
    pairs = d % F::kRun ? add16(pairs, products) : products;
    if (d % F::kRun == F::kRun - 1) {
      dots.low = add32(dots.low, madd16(pairs, F::kFactors ? w.factors[2 * b + d / 4][r] : all16(1)));
    }
  }
}

// ---- Few rows of activations: codes are multiplied as they are decoded.

// Adds `blocks` blocks of part r of a tile times m rows of activations.
template <typename F, int m, typename AnyRows>
FATHOM_INLINE void multiply_direct(const AnyRows& rows, const Tile<F>& w, int r, int blocks, const QuantisedRows& x,
                                   const Terms<F>* terms, Ahead<F>& ahead, Totals* totals) {
  constexpr int kStep = F::kStep, kRuns = 8 / F::kRun;
  Floats sum[m];
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) sum[i] = load_floats(totals[i] + kLanes * r);
  for (int b = 0; b < blocks; b += kStep) {
    if constexpr (!AnyRows::kInterleaved) ahead.step();
    Dots<F> dots[kStep][m];
    Ints pairs[kStep][kRuns][m];
#pragma GCC unroll 4
    for (int j = 0; j < kStep; ++j) {
#pragma GCC unroll 8
      for (int i = 0; i < m; ++i) dots[j][i].begin(w, b + j, r, terms[i]);
    }
    const int8_t* values = x.values + kBlockValues * b;
    F::codes(rows, b, [&](int j, int d, Ints codes) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int i = 0; i < m; ++i) {
        const Ints four = broadcast(values + i * x.cols + kBlockValues * j + 4 * d);
        add_products<F>(w, b + j, d, r, for_products<F>(codes), four, pairs[j][d / F::kRun][i], dots[j][i]);
      }
    });
#pragma GCC unroll 4
    for (int j = 0; j < kStep; ++j) {
#pragma GCC unroll 8
      for (int i = 0; i < m; ++i) sum[i] = add_block(w, b + j, r, dots[j][i].total(w, b + j, r), terms[i], sum[i]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) store_floats(totals[i] + kLanes * r, sum[i]);
}

FATHOM_INLINE QuantisedRows advance(const QuantisedRows& x, int64_t rows, int64_t cols) {
  const int64_t by = rows * x.cols + cols;
  return {x.values + by, x.scales + by / 32, x.sums + by / 16, x.cols};
}

// All columns of a tile's first `parts` parts, times m rows of activations.
template <typename F, int m, typename TileRows>
void multiply_tile_direct(const TileRows& rows, int parts, int64_t cols, const QuantisedRows& x, const Prefetch& chosen,
                          Ahead<F>& ahead, Tile<F>& tile, Totals* totals) {
  const Prefetch how = chosen;  // in registers
  int64_t at = 0;
  for (int64_t k = 0; k < cols; k += kGroupValues, at += kGroupBytes<F>) {
    const int blocks = blocks_at(k, cols);
    const QuantisedRows group = advance(x, 0, k);
    Terms<F> terms[m];
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) prepare(group, i, blocks, terms[i]);
    for (int r = 0; r < parts; ++r) {
      const auto part = rows.part(r, at, blocks, how);
      F::terms(part, blocks, r, tile);
      multiply_direct<F, m>(part, tile, r, blocks, group, terms, ahead, totals);
    }
  }
}

// The same for 1 to `most` rows of activations.
template <typename F, int most, typename TileRows>
void multiply_tile_few(int64_t m, const TileRows& rows, int parts, int64_t cols, const QuantisedRows& x, const Prefetch& how,
                       Ahead<F>& ahead, Tile<F>& tile, Totals* totals) {
  if constexpr (most > 1) {
    if (m < most) return multiply_tile_few<F, most - 1>(m, rows, parts, cols, x, how, ahead, tile, totals);
  }
  multiply_tile_direct<F, most>(rows, parts, cols, x, how, ahead, tile, totals);
}

// ---- More rows of activations: codes are decoded into the tile.

// Codes as products of a tile take them: AMX multiplies signed bytes, so what the codes stand for.
template <typename F, bool amx>
FATHOM_INLINE Ints for_tile(Ints codes) {
  if constexpr (!amx) return for_products<F>(codes);
  return F::kBias ? sub8(codes, all8(F::kBias)) : codes;
}

template <typename F, bool amx, typename TileRows>
void decode(const TileRows& rows, int64_t at, int blocks, const Prefetch& chosen, Tile<F>& tile) {
  const Prefetch how = chosen;
  for (int r = 0; r < kParts; ++r) {
    const auto part = rows.part(r, at, blocks, how);
    F::terms(part, blocks, r, tile);
    for (int b = 0; b < blocks; b += F::kStep) {
      F::codes(part, b, [&](int j, int d, Ints codes) __attribute__((always_inline)) {
        tile.codes[b + j][d][r] = for_tile<F, amx>(codes);
      });
    }
  }
}

// The integer sums of block b.
template <typename F, int m>
FATHOM_INLINE void block_dots(const Tile<F>& w, int b, const int8_t* x, int64_t x_stride, const Terms<F>* terms,
                              Dots<F> (&dots)[m][kParts]) {
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < kParts; ++r) dots[i][r].begin(w, b, r, terms[i]);
  }
  Ints pairs[m][kParts];
#pragma GCC unroll 8
  for (int d = 0; d < 8; ++d) {
    Ints codes[kParts];
#pragma GCC unroll 2
    for (int r = 0; r < kParts; ++r) codes[r] = w.codes[b][d][r];
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) {
      const Ints four = broadcast(x + i * x_stride + 4 * d);
#pragma GCC unroll 2
      for (int r = 0; r < kParts; ++r) add_products<F>(w, b, d, r, codes[r], four, pairs[i][r], dots[i][r]);
    }
  }
}

// Adds `blocks` blocks of m rows of activations.
template <typename F, int m>
void multiply(const Tile<F>& w, int blocks, const QuantisedRows& x, Totals* totals) {
  Terms<F> terms[m];
  for (int i = 0; i < m; ++i) prepare(x, i, blocks, terms[i]);
  Floats sum[m][kParts];
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < kParts; ++r) sum[i][r] = load_floats(totals[i] + kLanes * r);
  }
  for (int b = 0; b < blocks; ++b) {
    Dots<F> dots[m][kParts];
    block_dots<F, m>(w, b, x.values + kBlockValues * b, x.cols, terms, dots);
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
      for (int r = 0; r < kParts; ++r) sum[i][r] = add_block(w, b, r, dots[i][r].total(w, b, r), terms[i], sum[i][r]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < kParts; ++r) store_floats(totals[i] + kLanes * r, sum[i][r]);
  }
}

#ifdef FATHOM_AMX

// Adds `blocks` blocks of up to 16 rows of activations. `rounded` rows are computed, of which what is above m is of no meaning.
// In each block, `lines` lines of weights are asked for.
template <typename F, int rounded, bool whole>
void multiply_amx(const Tile<F>& w, int blocks, const QuantisedRows& x, int m, Ahead<F>& ahead, int lines, Totals* totals) {
  Terms<F, 0> terms[rounded];
  AmxBlock<F> products[2];
  if constexpr (!whole) {
    __builtin_memset(terms, 0, sizeof terms);
    __builtin_memset(products, 0, sizeof products);
  }
  for (int i = 0; i < (whole ? rounded : m); ++i) prepare(x, i, blocks, terms[i]);
  Floats total[rounded];
#pragma GCC unroll 16
  for (int i = 0; i < rounded; ++i) total[i] = load_floats(totals[i]);
  const auto add = [&](int b) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < rounded; ++i) total[i] = add_block(w, b, 0, products[b % 2].total(w, b, i), terms[i], total[i]);
  };
  // A block's products are under way while those of the one before are added.
  for (int b = 0; b < blocks; ++b) {
    ahead.ask_for(lines);
    products[b % 2].template multiply<whole>(w.codes[b], x.values + kBlockValues * b, x.cols);
    if (b > 0) add(b - 1);
  }
  add(blocks - 1);
#pragma GCC unroll 16
  for (int i = 0; i < rounded; ++i) store_floats(totals[i], total[i]);
}

#endif

// Adds `blocks` blocks of any number of rows of activations.
template <typename F>
void multiply_rows(const Tile<F>& w, int blocks, const QuantisedRows& x, int64_t m, Ahead<F>& ahead, Totals* totals) {
  constexpr void (*kRest[])(const Tile<F>&, int, const QuantisedRows&, Totals*) = {multiply<F, 1>, multiply<F, 2>,
                                                                                   multiply<F, 3>};
  int64_t i = 0;
  for (; i + kActivations <= m; i += kActivations) {
    ahead.ask_for(int(Ahead<F>::kTileLines * kActivations / m) + 1);
    multiply<F, kActivations>(w, blocks, advance(x, i, 0), totals + i);
  }
  if (i == 0) ahead.ask_for(Ahead<F>::kTileLines);
  for (; i + 4 <= m; i += 4) multiply<F, 4>(w, blocks, advance(x, i, 0), totals + i);
  if (i < m) kRest[m - i - 1](w, blocks, advance(x, i, 0), totals + i);
}

#ifdef FATHOM_AMX
template <typename F>
void multiply_rows_amx(const Tile<F>& w, int blocks, const QuantisedRows& x, int64_t m, Ahead<F>& ahead, Totals* totals) {
  const int times = int((m + kAmxRows - 1) / kAmxRows) * blocks, lines = (Ahead<F>::kTileLines + times - 1) / times;
  int64_t i = 0;
  for (; i + kAmxRows <= m; i += kAmxRows)
    multiply_amx<F, kAmxRows, true>(w, blocks, advance(x, i, 0), kAmxRows, ahead, lines, totals + i);
  constexpr void (*kRest[])(const Tile<F>&, int, const QuantisedRows&, int, Ahead<F>&, int, Totals*) = {
      multiply_amx<F, 4, false>, multiply_amx<F, 8, false>, multiply_amx<F, 12, false>, multiply_amx<F, 16, false>};
  if (i < m) kRest[(m - i - 1) / 4](w, blocks, advance(x, i, 0), int(m - i), ahead, lines, totals + i);
}
#endif

template <typename F, bool amx, typename TileRows>
void matmul_tiles(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
                  int64_t y_stride) {
  constexpr int kDirect = kDirectRows<F, TileRows::kInterleaved>;
  const Prefetch& how = prefetch_for(m, w.prefetch ? *w.prefetch : kBlockPrefetch);
  const bool direct = m <= kDirect, by_tile = !TileRows::kInterleaved || how.next_tile;
  alignas(64) Tile<F> tile;
  alignas(64) Totals totals[kTotals];
  for (int64_t n = first_row; n < last_row; n += kTileRows) {
    const int64_t count = last_row - n < kTileRows ? last_row - n : kTileRows;
    const TileRows rows(w, n, count);
    // The next tile's rows; a stream prefetches its lines itself.
    const int64_t left = last_row - n - count, below = !by_tile ? 0 : left < kTileRows ? left : kTileRows;
    const char* next = reinterpret_cast<const char*>(w.data + (n + count) * w.row_bytes);
    Ahead<F> ahead{next, next + below * w.row_bytes};
    for (int64_t part = 0; part < m; part += kTotals) {
      const int64_t part_m = m - part < kTotals ? m - part : kTotals;
      for (int64_t i = 0; i < part_m; ++i) {
        for (float& total : totals[i]) total = 0.0f;
      }
      if (direct) {
        multiply_tile_few<F, kDirect>(m, rows, count > kLanes ? kParts : 1, w.cols, x, how, ahead, tile, totals);
      } else {
        int64_t at = 0;
        for (int64_t k = 0; k < w.cols; k += kGroupValues, at += kGroupBytes<F>) {
          const int blocks = blocks_at(k, w.cols);
          decode<F, amx>(rows, at, blocks, how, tile);
#ifdef FATHOM_AMX
          if constexpr (amx) {
            multiply_rows_amx(tile, blocks, advance(x, part, k), part_m, ahead, totals);
            continue;
          }
#endif
          multiply_rows(tile, blocks, advance(x, part, k), part_m, ahead, totals);
        }
      }
      for (int64_t i = 0; i < part_m; ++i) {
        float* out = y + (part + i) * y_stride + n;
        if (count == kTileRows) {
          for (int r = 0; r < kParts; ++r) {
            const Floats total = load_floats(totals[i] + kLanes * r);
            __builtin_memcpy(out + kLanes * r, &total, sizeof total);
          }
        } else {
          for (int64_t r = 0; r < count; ++r) out[r] = totals[i][r];
        }
      }
    }
  }
}

template <typename F, typename TileRows>
void matmul_rows(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
                 int64_t y_stride) {
#ifdef FATHOM_AMX
  if (m > kRowsWithoutAmx) {
    const AmxRegisters registers(shapes_for<F>(m));
    return matmul_tiles<F, true, TileRows>(w, first_row, last_row, x, m, y, y_stride);
  }
#endif
  matmul_tiles<F, false, TileRows>(w, first_row, last_row, x, m, y, y_stride);
}

template <typename F>
void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
            int64_t y_stride) {
  if constexpr (F::kBytes % 2 == 0) {  // MXFP4 has no such form
    if (w.interleaved) return matmul_rows<F, InterleavedTile>(w, first_row, last_row, x, m, y, y_stride);
  }
  matmul_rows<F, StoredTile>(w, first_row, last_row, x, m, y, y_stride);
}

}  // namespace

// What the tables are made of.
#define FATHOM_DEFINE(format, Name, values, bytes)                                                                     \
  void matmul_q8_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, \
                          float* y, int64_t y_stride) {                                                                \
    static_assert(Name::kValues == values && Name::kBytes == bytes);                                                   \
    matmul<Name>(w, first_row, last_row, x, m, y, y_stride);                                                           \
  }
FATHOM_BLOCK_FORMATS(FATHOM_DEFINE)
#undef FATHOM_DEFINE

}  // namespace fathom::kernels::FATHOM_NAMESPACE
