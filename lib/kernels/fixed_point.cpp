// Attention to latents in fixed point, compiled for AVX2, for AVX-512 and for AVX-512 with VNNI. `vpmaddwd` with an addition
// does four times the products of `vfmadd` in twice the instructions, VNNI has both in one, and rows lie so that lanes are keys
// in products and columns in sums: nothing is added across lanes. All give the same bits.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

constexpr float kZeroBelow = 0x1p-100f;
constexpr int32_t kInfinity32 = 0x7f800000;
constexpr uint16_t kInfinity16 = 0x7c00;

// Products ask memory for rows this far ahead, sums for as many of the rows that come next.
constexpr int64_t kAheadRows = 32;

// What rows that are no numbers or not there are read from.
constexpr uint16_t kZeros[2 * kFixedColumns] = {};

FATHOM_INLINE float not_a_number() { return __builtin_nanf(""); }

FATHOM_INLINE __m256i load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
FATHOM_INLINE void store(void* at, __m256i value) { _mm256_storeu_si256(static_cast<__m256i*>(at), value); }

// ---- Rows of latents.

// Part of a row: the columns from `at` on, as integers = values * inverse.
struct Part {
  const uint16_t* at;
  float inverse;
};

FATHOM_INLINE const uint16_t* row_of(const WeightRows& w, int64_t row) {
  return reinterpret_cast<const uint16_t*>(w.data + row * w.row_bytes);
}

// The largest of 16 lanes, none of them negative.
FATHOM_INLINE uint16_t largest_lane(__m256i lanes) {
  const __m128i eight = _mm_max_epi16(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  // the least of their complements
  return uint16_t(0xffff - _mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(eight, _mm_set1_epi16(-1))), 0));
}

// The largest magnitude of n halves, as bits.
FATHOM_INLINE uint16_t largest_half(const uint16_t* at, int64_t n) {
  __m256i most = _mm256_setzero_si256();
  const __m256i magnitude = _mm256_set1_epi16(0x7fff);
  for (int64_t k = 0; k < n; k += 16) most = _mm256_max_epi16(most, _mm256_and_si256(load(at + k), magnitude));
  return largest_lane(most);
}

FATHOM_INLINE float scale_of(const uint16_t* at, int64_t n) {
  const uint16_t most = largest_half(at, n);
  return most < kInfinity16 ? _cvtsh_ss(most) / float(kFixedLimit) : not_a_number();
}

FATHOM_INLINE Part part_of(const uint16_t* at, float scale) {
  return scale > 0.0f ? Part{at, 1.0f / scale} : Part{kZeros, 0.0f};
}

// Asks for `bytes` of memory in `times` steps, while others are worked on. Few lines at a step: many fill the processor's list
// of outstanding ones, and it waits.
class Ahead {
 public:
  FATHOM_INLINE Ahead(const uint8_t* at, int64_t bytes, int64_t times)
      : at_(reinterpret_cast<const char*>(at)), end_(at_ + bytes), lines_(times > 0 ? (bytes / 64 + times - 1) / times : 0) {}
  FATHOM_INLINE void step() {
    if (at_ >= end_) return;
    for (int64_t line = 0; line < lines_; ++line) _mm_prefetch(at_ + 64 * line, _MM_HINT_T1);
    at_ += 64 * lines_;
  }

 private:
  const char* at_;
  const char* end_;
  int64_t lines_;
};

// The bytes of rows [first, first + count) of `rows`.
FATHOM_INLINE int64_t bytes_of_rows(const WeightRows& w, int64_t rows, int64_t first, int64_t count) {
  const int64_t last = first + count < rows ? first + count : rows;
  return first < last ? (last - first) * w.row_bytes : 0;
}

FATHOM_INLINE void clear(float* at, int64_t count) {
  for (int64_t k = 0; k < count; k += 8) _mm256_storeu_ps(at + k, _mm256_setzero_ps());
}

// Sixteen columns as integers: 0-3, 8-11 | 4-7, 12-15, so that interleaving two rows brings them in order.
FATHOM_INLINE __m256i fix_sixteen(const Part& part, int64_t k) {
  const __m256 inverse = _mm256_set1_ps(part.inverse);
  const auto eight = [&](const uint16_t* at) {
    const __m256 values = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    return _mm256_cvtps_epi32(_mm256_mul_ps(values, inverse));
  };
  return _mm256_packs_epi32(eight(part.at + k), eight(part.at + k + 8));
}

// Turns 8 rows of 8 pairs of columns, in the order of fix_sixteen, and stores them pair by pair, beside those of 8 other rows.
FATHOM_INLINE void store_keys(const __m256i (&rows)[8], int16_t* out) {
  __m256i two[8], four[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    two[2 * i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    two[2 * i + 1] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    four[4 * i] = _mm256_unpacklo_epi64(two[4 * i], two[4 * i + 2]);
    four[4 * i + 1] = _mm256_unpackhi_epi64(two[4 * i], two[4 * i + 2]);
    four[4 * i + 2] = _mm256_unpacklo_epi64(two[4 * i + 1], two[4 * i + 3]);
    four[4 * i + 3] = _mm256_unpackhi_epi64(two[4 * i + 1], two[4 * i + 3]);
  }
  // the pair of columns that each element of a lane is, in the lower lane and in the upper
  constexpr int kLower[4] = {0, 1, 4, 5}, kUpper[4] = {2, 3, 6, 7};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    store(out + 32 * kLower[i], _mm256_permute2x128_si256(four[i], four[4 + i], 0x20));
    store(out + 32 * kUpper[i], _mm256_permute2x128_si256(four[i], four[4 + i], 0x31));
  }
}

// n columns of 8 rows to one half of keys [n / 2][16 rows][2 columns].
FATHOM_INLINE void fix_keys(const Part (&parts)[8], int64_t n, int16_t* keys) {
  for (int64_t k = 0; k < n; k += 16) {
    __m256i integers[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) integers[i] = fix_sixteen(parts[i], k);
    store_keys(integers, keys + 16 * k);
  }
}

// ---- Sixteen sums of 32 bits.

FATHOM_INLINE int32_t pair_of(const int16_t* at) {
  int32_t two;
  __builtin_memcpy(&two, at, sizeof two);
  return two;
}

#ifdef __AVX512F__

constexpr int kAtOnce = 8;  // queries, or rows of results, that share a load
using Sixteen = __m512i;

FATHOM_INLINE Sixteen load_pairs(const int16_t* at) { return _mm512_loadu_si512(at); }

// sums + both products of pairs.
FATHOM_INLINE Sixteen add_products(Sixteen sums, Sixteen pairs, int32_t pair) {
#ifdef __AVX512VNNI__
  return _mm512_dpwssd_epi32(sums, pairs, _mm512_set1_epi32(pair));
#else
  return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi32(pair)));
#endif
}

// out = a * (a_factor * a_factors) + b * (b_factor * b_factors).
FATHOM_INLINE void store_scaled(Sixteen a, float a_factor, const float* a_factors, Sixteen b, float b_factor,
                                const float* b_factors, float* out) {
  const __m512 a_scale = _mm512_mul_ps(_mm512_set1_ps(a_factor), _mm512_loadu_ps(a_factors));
  const __m512 b_scale = _mm512_mul_ps(_mm512_set1_ps(b_factor), _mm512_loadu_ps(b_factors));
  _mm512_storeu_ps(out, _mm512_fmadd_ps(_mm512_cvtepi32_ps(b), b_scale, _mm512_mul_ps(_mm512_cvtepi32_ps(a), a_scale)));
}

// out += sums * factor.
FATHOM_INLINE void add_scaled(Sixteen sums, float factor, float* out) {
  _mm512_storeu_ps(out, _mm512_fmadd_ps(_mm512_set1_ps(factor), _mm512_cvtepi32_ps(sums), _mm512_loadu_ps(out)));
}

#else

constexpr int kAtOnce = 4;
struct Sixteen {
  __m256i half[2];
};

FATHOM_INLINE Sixteen load_pairs(const int16_t* at) { return {{load(at), load(at + 16)}}; }

FATHOM_INLINE Sixteen add_products(Sixteen sums, Sixteen pairs, int32_t pair) {
  const __m256i both = _mm256_set1_epi32(pair);
  return {{_mm256_add_epi32(sums.half[0], _mm256_madd_epi16(pairs.half[0], both)),
           _mm256_add_epi32(sums.half[1], _mm256_madd_epi16(pairs.half[1], both))}};
}

FATHOM_INLINE void store_scaled(Sixteen a, float a_factor, const float* a_factors, Sixteen b, float b_factor,
                                const float* b_factors, float* out) {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const __m256 a_scale = _mm256_mul_ps(_mm256_set1_ps(a_factor), _mm256_loadu_ps(a_factors + 8 * h));
    const __m256 b_scale = _mm256_mul_ps(_mm256_set1_ps(b_factor), _mm256_loadu_ps(b_factors + 8 * h));
    const __m256 first = _mm256_mul_ps(_mm256_cvtepi32_ps(a.half[h]), a_scale);
    _mm256_storeu_ps(out + 8 * h, _mm256_fmadd_ps(_mm256_cvtepi32_ps(b.half[h]), b_scale, first));
  }
}

FATHOM_INLINE void add_scaled(Sixteen sums, float factor, float* out) {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const __m256 before = _mm256_loadu_ps(out + 8 * h);
    _mm256_storeu_ps(out + 8 * h, _mm256_fmadd_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(sums.half[h]), before));
  }
}

#endif

// Calls go.operator()<R>(i) for things i to i + R - 1, until all `count` were had.
template <typename Go>
FATHOM_INLINE void in_groups(int64_t count, Go&& go) {
  int64_t i = 0;
  if constexpr (kAtOnce == 8) {
    for (; i + 8 <= count; i += 8) go.template operator()<8>(i);
  }
  for (; i + 4 <= count; i += 4) go.template operator()<4>(i);
  if (count - i == 3) go.template operator()<3>(i);
  if (count - i == 2) go.template operator()<2>(i);
  if (count - i == 1) go.template operator()<1>(i);
}

// ---- Products.

// Sixteen rows as keys [cols / 2][16 rows][2 columns].
struct Keys {
  alignas(64) int16_t integers[16 * 2 * kFixedColumns];
  alignas(64) float shared_scales[16];
  alignas(64) float other_scales[16];
};

constexpr int64_t kStepPairs = 4;  // parts of a row are multiples of 16 columns

// Adds the products of pairs [first, last) of columns with R queries.
template <int R>
FATHOM_INLINE void add_columns(const int16_t* keys, int64_t cols, int64_t first, int64_t last, const int16_t* queries,
                               Ahead& ahead, Sixteen (&sums)[R]) {
  for (int64_t begin = first; begin < last; begin += kStepPairs) {
    ahead.step();
#pragma GCC unroll 4
    for (int64_t p = begin; p < begin + kStepPairs; ++p) {
      const Sixteen pairs = load_pairs(keys + 32 * p);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sums[r] = add_products(sums[r], pairs, pair_of(queries + r * cols + 2 * p));
    }
  }
}

template <int R>
FATHOM_INLINE void multiply_sixteen(const Keys& keys, int64_t shared, int64_t cols, const int16_t* queries,
                                    const float* query_scales, Ahead& ahead, float* y) {
  Sixteen first[R] = {}, second[R] = {};
  add_columns<R>(keys.integers, cols, 0, shared / 2, queries, ahead, first);
  add_columns<R>(keys.integers, cols, shared / 2, cols / 2, queries, ahead, second);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    store_scaled(first[r], query_scales[2 * r], keys.shared_scales, second[r], query_scales[2 * r + 1], keys.other_scales,
                 y + r * kFixedRows);
  }
}

// ---- Sums.

constexpr int64_t kSumColumns = 32;  // a line of the cache

// Sixteen columns of R rows of results; values [pairs of rows][16 columns][2 rows].
template <int R>
FATHOM_INLINE void sum_sixteen(const int16_t* values, int64_t pairs, const int16_t* weights, const float* weight_scales,
                               float* out, int64_t out_stride) {
  Sixteen sums[R] = {};
#pragma GCC unroll 2
  for (int64_t p = 0; p < pairs; ++p) {
    const Sixteen both = load_pairs(values + 32 * p);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sums[r] = add_products(sums[r], both, pair_of(weights + r * kFixedRows + 2 * p));
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) add_scaled(sums[r], weight_scales[r], out + r * out_stride);
}

}  // namespace

float fix_row(const float* x, const float* factors, int64_t n, int32_t limit, int16_t* out) {
  const auto eight = [&](int64_t k) {
    const __m256 values = _mm256_loadu_ps(x + k);
    return factors ? _mm256_mul_ps(values, _mm256_loadu_ps(factors + k)) : values;
  };
  __m256i bits = _mm256_setzero_si256();
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  for (int64_t k = 0; k < n; k += 8) {
    bits = _mm256_max_epi32(bits, _mm256_and_si256(_mm256_castps_si256(eight(k)), magnitude));
  }
  const __m128i four = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  const __m128i two = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
  const __m128i one = _mm_max_epi32(two, _mm_shuffle_epi32(two, 1));
  const float most = _mm_cvtss_f32(_mm_castsi128_ps(one));
  const bool finite = _mm_cvtsi128_si32(one) < kInfinity32;
  if (!finite || most < kZeroBelow) {
    for (int64_t k = 0; k < n; k += 16) store(out + k, _mm256_setzero_si256());
    return finite ? 0.0f : not_a_number();
  }
  const __m256 inverse = _mm256_set1_ps(float(limit) / most);
  for (int64_t k = 0; k < n; k += 16) {
    const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(eight(k), inverse));
    const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(eight(k + 8), inverse));
    store(out + k, _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
  }
  return most / float(limit);
}

void fixed_products(const WeightRows& w, int64_t rows, int64_t shared, const int16_t* queries, const float* query_scales,
                    int64_t m, float* scales, float* y) {
  for (int64_t first = 0; first < kFixedRows; first += 16) {
    if (first >= rows) {
      clear(scales + first, kFixedRows - first);
      for (int64_t i = 0; i < m; ++i) clear(y + i * kFixedRows + first, kFixedRows - first);
      return;
    }
    Ahead ahead(w.data + (first + kAheadRows) * w.row_bytes, bytes_of_rows(w, rows, first + kAheadRows, 16),
                (m + kAtOnce - 1) / kAtOnce * (w.cols / (2 * kStepPairs)));
    Keys keys;
    for (int64_t eight = 0; eight < 16; eight += 8) {
      Part shared_parts[8], other_parts[8];
      for (int64_t i = 0; i < 8; ++i) {
        const int64_t row = first + eight + i;
        const uint16_t* at = row < rows ? row_of(w, row) : kZeros;
        keys.shared_scales[eight + i] = scales[row] = scale_of(at, shared);
        keys.other_scales[eight + i] = scale_of(at + shared, w.cols - shared);
        shared_parts[i] = part_of(at, keys.shared_scales[eight + i]);
        other_parts[i] = part_of(at + shared, keys.other_scales[eight + i]);
      }
      fix_keys(shared_parts, shared, keys.integers + 2 * eight);
      fix_keys(other_parts, w.cols - shared, keys.integers + 2 * eight + 16 * shared);
    }
    in_groups(m, [&]<int R>(int64_t i) {
      multiply_sixteen<R>(keys, shared, w.cols, queries + i * w.cols, query_scales + 2 * i, ahead, y + i * kFixedRows + first);
    });
  }
}

void fixed_sums(const WeightRows& w, int64_t rows, int64_t shared, const float* scales, const int16_t* weights,
                const float* weight_scales, int64_t m, const uint8_t* next, float* out, int64_t out_stride) {
  Part parts[kFixedRows];
  for (int64_t row = 0; row < kFixedRows; ++row) parts[row] = part_of(row < rows ? row_of(w, row) : kZeros, scales[row]);
  alignas(64) int16_t values[kSumColumns / 16][kFixedRows / 2][16][2];
  const int64_t pairs = (rows + 1) / 2;
  Ahead ahead(next, next ? kAheadRows * w.row_bytes : 0, pairs * ((shared + kSumColumns - 1) / kSumColumns));
  for (int64_t begin = 0; begin < shared; begin += kSumColumns) {
    const int64_t blocks = shared - begin < kSumColumns ? 1 : 2;
    for (int64_t pair = 0; pair < pairs; ++pair) {
      ahead.step();
      for (int64_t b = 0; b < blocks; ++b) {
        const __m256i even = fix_sixteen(parts[2 * pair], begin + 16 * b),
                      odd = fix_sixteen(parts[2 * pair + 1], begin + 16 * b);
        store(values[b][pair], _mm256_unpacklo_epi16(even, odd));
        store(values[b][pair][8], _mm256_unpackhi_epi16(even, odd));
      }
    }
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t k = begin + 16 * b;
      in_groups(m, [&]<int R>(int64_t i) {
        sum_sixteen<R>(values[b][0][0], pairs, weights + i * kFixedRows, weight_scales + i, out + i * out_stride + k,
                       out_stride);
      });
    }
  }
}

}  // namespace fathom::kernels::FATHOM_NAMESPACE
