// AVX2: products of floating weights, and of Q8_0 as caches have it, with F32 activations, sums of their rows, and the decoding
// of the floating ones. A little above 400 lines, because these share how a format is read and instruction-set files share no
// headers. Weights are brought to F32 sixteen at a time; each element of a product has one accumulator of eight lanes, whatever
// the tile.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx2 {
namespace {

struct Sixteen {
  __m256 low, high;
};

FATHOM_INLINE __m128i load_128(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
FATHOM_INLINE __m256 from_bf16(__m128i bits) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }

// ---- The formats: kBytes a sixteen values at `at`, times `scale` where kScaled; those without factors also eight at a time.

struct F32 {
  static constexpr bool kScaled = false;
  static constexpr int kBytes = 64;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256) {
    const float* values = reinterpret_cast<const float*>(at);
    return {_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)};
  }
  static FATHOM_INLINE __m256 load_eight(const uint8_t* at) { return _mm256_loadu_ps(reinterpret_cast<const float*>(at)); }
};

struct F16 {
  static constexpr bool kScaled = false;
  static constexpr int kBytes = 32;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256) {
    return {_mm256_cvtph_ps(load_128(at)), _mm256_cvtph_ps(load_128(at + 16))};
  }
  static FATHOM_INLINE __m256 load_eight(const uint8_t* at) { return _mm256_cvtph_ps(load_128(at)); }
};

struct BF16 {
  static constexpr bool kScaled = false;
  static constexpr int kBytes = 32;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256) {
    return {from_bf16(load_128(at)), from_bf16(load_128(at + 16))};
  }
  static FATHOM_INLINE __m256 load_eight(const uint8_t* at) { return from_bf16(load_128(at)); }
};

struct F8E4M3 {
  static constexpr bool kScaled = true;
  static constexpr int kBytes = 16;
  // Sign, exponent and fraction moved to their places in a half make the value times 2^-8: the biases are 7 and 15.
  static constexpr float kUnit = 256.0f;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256 scale) {
    const __m256i moved = _mm256_slli_epi16(_mm256_cvtepi8_epi16(load_128(at)), 7);  // the sign fills bits 14 and 15
    const __m256i value = _mm256_and_si256(moved, _mm256_set1_epi16(int16_t(0xbfff)));
    const __m256i magnitude = _mm256_and_si256(moved, _mm256_set1_epi16(0x3fff));
    const __m256i nan = _mm256_cmpeq_epi16(magnitude, _mm256_set1_epi16(0x3f80));  // all ones are a NaN in halves too
    const __m256i halves = _mm256_or_si256(value, nan);
    return {_mm256_mul_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(halves)), scale),
            _mm256_mul_ps(_mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1)), scale)};
  }
};

FATHOM_INLINE __m128i low_nibbles(__m128i bytes) { return _mm_and_si128(bytes, _mm_set1_epi8(15)); }
FATHOM_INLINE __m128i high_nibbles(__m128i bytes) { return low_nibbles(_mm_srli_epi16(bytes, 4)); }

// E2M1 values are halves whose lower byte is zero: nibbles select the upper one.
FATHOM_INLINE Sixteen from_e2m1(__m128i nibbles, __m256 scale) {
  const __m128i upper = _mm_setr_epi8(0, 0x38, 0x3c, 0x3e, 0x40, 0x42, 0x44, 0x46, char(0x80), char(0xb8), char(0xbc),
                                      char(0xbe), char(0xc0), char(0xc2), char(0xc4), char(0xc6));
  const __m128i bytes = _mm_shuffle_epi8(upper, nibbles), zero = _mm_setzero_si128();
  return {_mm256_mul_ps(_mm256_cvtph_ps(_mm_unpacklo_epi8(zero, bytes)), scale),
          _mm256_mul_ps(_mm256_cvtph_ps(_mm_unpackhi_epi8(zero, bytes)), scale)};
}

struct F4E2M1 {
  static constexpr bool kScaled = true;
  static constexpr int kBytes = 8;
  static constexpr float kUnit = 1.0f;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256 scale) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
    return from_e2m1(_mm_unpacklo_epi8(low_nibbles(bytes), high_nibbles(bytes)), scale);
  }
};

// ---- Factors beside the weights.

FATHOM_INLINE float from_e8m0(uint8_t e) {
  const uint32_t bits = e == 0 ? 0x00400000u : e == 255 ? 0x7fc00000u : uint32_t(e) << 23;
  float power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return power;
}

// The factors of one row, one for each segment of columns that share it; 1 where there are none.
class RowFactors {
 public:
  FATHOM_INLINE RowFactors() = default;
  FATHOM_INLINE RowFactors(const WeightRows& w, int64_t row) {
    if (!w.scales) return;
    is_e8m0_ = w.scale_is_e8m0;
    at_ = static_cast<const uint8_t*>(w.scales) + row / w.scale_rows * w.scale_stride * (is_e8m0_ ? 1 : 4);
  }
  FATHOM_INLINE float operator[](int64_t segment) const {
    if (!at_) return 1.0f;
    if (is_e8m0_) return from_e8m0(at_[segment]);
    float factor;
    __builtin_memcpy(&factor, at_ + 4 * segment, sizeof factor);
    return factor;
  }

 private:
  const uint8_t* at_ = nullptr;
  bool is_e8m0_ = false;
};

template <typename F>
FATHOM_INLINE int64_t segment_cols(const WeightRows& w) {
  return F::kScaled && w.scales ? w.scale_cols : w.cols;
}

template <typename F>
FATHOM_INLINE __m256 scale_of(const RowFactors& factors, int64_t segment) {
  if constexpr (F::kScaled) return _mm256_set1_ps(F::kUnit * factors[segment]);
  return _mm256_setzero_ps();
}

// ---- Fewer than sixteen.

FATHOM_INLINE __m256i first_lanes(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// The first `count` values at `at`, zeros behind them; nothing behind them is read.
template <typename F>
FATHOM_INLINE Sixteen load_some(const uint8_t* at, int64_t count, __m256 scale) {
  uint8_t bytes[F::kBytes] = {};
  for (int64_t j = 0; j < (count * F::kBytes + 15) / 16; ++j) bytes[j] = at[j];
  return F::load(bytes, scale);
}

FATHOM_INLINE Sixteen load_x(const float* x) { return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
FATHOM_INLINE Sixteen load_x_some(const float* x, int64_t count) {
  return {_mm256_maskload_ps(x, first_lanes(count)),
          count > 8 ? _mm256_maskload_ps(x + 8, first_lanes(count - 8)) : _mm256_setzero_ps()};
}
FATHOM_INLINE void store_some(float* out, Sixteen values, int64_t count) {
  _mm256_maskstore_ps(out, first_lanes(count), values.low);
  if (count > 8) _mm256_maskstore_ps(out + 8, first_lanes(count - 8), values.high);
}

// ---- Products.

FATHOM_INLINE float sum_lanes(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

FATHOM_INLINE __m256 add_product(Sixteen weights, Sixteen x, __m256 sum) {
  return _mm256_fmadd_ps(weights.high, x.high, _mm256_fmadd_ps(weights.low, x.low, sum));
}

template <int N, int R>
FATHOM_INLINE void store_sums(const __m256 (&sums)[N][R], int64_t n, float* y, int64_t y_stride) {
  for (int j = 0; j < N; ++j) {
    for (int r = 0; r < R; ++r) y[r * y_stride + n + j] = sum_lanes(sums[j][r]);
  }
}

// N rows of weights times R rows of activations.
template <typename F, int N, int R>
FATHOM_INLINE void multiply_tile(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y, int64_t y_stride) {
  __m256 sums[N][R] = {};
  RowFactors factors[N];
  const uint8_t* at[N];
  for (int j = 0; j < N; ++j) {
    at[j] = w.data + (n + j) * w.row_bytes;
    if constexpr (F::kScaled) factors[j] = RowFactors(w, n + j);
  }
  const int64_t segment = segment_cols<F>(w);
  for (int64_t begin = 0, s = 0; begin < w.cols; begin += segment, ++s) {
    const int64_t end = begin + segment < w.cols ? begin + segment : w.cols;
    __m256 scale[N];
    for (int j = 0; j < N; ++j) scale[j] = scale_of<F>(factors[j], s);
    int64_t k = begin;
    for (; k + 16 <= end; k += 16) {
      Sixteen weights[N];
      for (int j = 0; j < N; ++j) weights[j] = F::load(at[j] + k * F::kBytes / 16, scale[j]);
      for (int r = 0; r < R; ++r) {
        const Sixteen values = load_x(x + r * x_stride + k);
        for (int j = 0; j < N; ++j) sums[j][r] = add_product(weights[j], values, sums[j][r]);
      }
    }
    if (k == end) continue;
    for (int j = 0; j < N; ++j) {
      const Sixteen weights = load_some<F>(at[j] + k * F::kBytes / 16, end - k, scale[j]);
      for (int r = 0; r < R; ++r) sums[j][r] = add_product(weights, load_x_some(x + r * x_stride + k, end - k), sums[j][r]);
    }
  }
  store_sums(sums, n, y, y_stride);
}

// The same for 3 rows of weights and 4 of activations, in formats without factors: twelve sums hide the latency of adding, and
// eight columns at a time leave them all in registers.
template <typename F>
FATHOM_INLINE void multiply_three_by_four(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y,
                                          int64_t y_stride) {
  __m256 sums[3][4] = {};
  const uint8_t* at = w.data + n * w.row_bytes;
  const int64_t whole = w.cols / 16 * 16;
  for (int64_t k = 0; k < whole; k += 8) {
    __m256 weights[3];
#pragma GCC unroll 3
    for (int j = 0; j < 3; ++j) weights[j] = F::load_eight(at + j * w.row_bytes + k * F::kBytes / 16);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const __m256 values = _mm256_loadu_ps(x + r * x_stride + k);
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) sums[j][r] = _mm256_fmadd_ps(weights[j], values, sums[j][r]);
    }
  }
  if (whole < w.cols) {
    for (int j = 0; j < 3; ++j) {
      const Sixteen weights = load_some<F>(at + j * w.row_bytes + whole * F::kBytes / 16, w.cols - whole, _mm256_setzero_ps());
      for (int r = 0; r < 4; ++r)
        sums[j][r] = add_product(weights, load_x_some(x + r * x_stride + whole, w.cols - whole), sums[j][r]);
    }
  }
  store_sums(sums, n, y, y_stride);
}

// ---- Formats with a factor for 32 values: FP4, in a block with it (MXFP4, values j and j + 16 in one byte) or beside it (two
// neighbours in one byte), and Q8_0.

struct ThirtyTwo {
  Sixteen first, second;
};

class MXFP4 {
 public:
  FATHOM_INLINE MXFP4() = default;
  FATHOM_INLINE MXFP4(const WeightRows& w, int64_t row) : at_(w.data + row * w.row_bytes) {}
  FATHOM_INLINE ThirtyTwo block(int64_t b) const {
    const uint8_t* at = at_ + 17 * b;
    const __m256 scale = _mm256_set1_ps(from_e8m0(at[0]));
    const __m128i bytes = load_128(at + 1);
    return {from_e2m1(low_nibbles(bytes), scale), from_e2m1(high_nibbles(bytes), scale)};
  }

 private:
  const uint8_t* at_ = nullptr;
};

class SplitFP4 {
 public:
  FATHOM_INLINE SplitFP4() = default;
  FATHOM_INLINE SplitFP4(const WeightRows& w, int64_t row)
      : at_(w.data + row * w.row_bytes), powers_(static_cast<const uint8_t*>(w.scales) + row / w.scale_rows * w.scale_stride) {}
  FATHOM_INLINE ThirtyTwo block(int64_t b) const {
    const __m256 scale = _mm256_set1_ps(from_e8m0(powers_[b]));
    const __m128i bytes = load_128(at_ + 16 * b), low = low_nibbles(bytes), high = high_nibbles(bytes);
    return {from_e2m1(_mm_unpacklo_epi8(low, high), scale), from_e2m1(_mm_unpackhi_epi8(low, high), scale)};
  }

 private:
  const uint8_t* at_ = nullptr;
  const uint8_t* powers_ = nullptr;
};

class Q8_0 {
 public:
  FATHOM_INLINE Q8_0() = default;
  FATHOM_INLINE Q8_0(const WeightRows& w, int64_t row) : at_(w.data + row * w.row_bytes) {}
  FATHOM_INLINE ThirtyTwo block(int64_t b) const {
    const uint8_t* at = at_ + 34 * b;
    uint16_t bits;
    __builtin_memcpy(&bits, at, sizeof bits);
    const __m256 scale = _mm256_set1_ps(_cvtsh_ss(bits));
    return {scaled(at + 2, scale), scaled(at + 18, scale)};
  }

 private:
  static FATHOM_INLINE __m256 scaled_eight(const uint8_t* codes, __m256 scale) {
    const __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
    return _mm256_mul_ps(_mm256_cvtepi32_ps(wide), scale);
  }
  static FATHOM_INLINE Sixteen scaled(const uint8_t* codes, __m256 scale) {
    return {scaled_eight(codes, scale), scaled_eight(codes + 8, scale)};
  }

  const uint8_t* at_ = nullptr;
};

// Can SplitFP4 read it? Otherwise F4E2M1 does, whatever its factors are.
FATHOM_INLINE bool is_split_fp4(const WeightRows& w) {
  return w.scales && w.scale_is_e8m0 && w.scale_cols == 32 && w.cols % 32 == 0;
}

template <typename F, int N, int R>
FATHOM_INLINE void multiply_blocks(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y,
                                   int64_t y_stride) {
  __m256 sums[N][R] = {};
  F rows[N];
  for (int j = 0; j < N; ++j) rows[j] = F(w, n + j);
  for (int64_t b = 0; b < w.cols / 32; ++b) {
    for (int j = 0; j < N; ++j) {
      const ThirtyTwo weights = rows[j].block(b);
      for (int r = 0; r < R; ++r) {
        const float* values = x + r * x_stride + 32 * b;
        sums[j][r] = add_product(weights.first, load_x(values), sums[j][r]);
        sums[j][r] = add_product(weights.second, load_x(values + 16), sums[j][r]);
      }
    }
  }
  store_sums(sums, n, y, y_stride);
}

template <typename F>
constexpr bool kHasBlocks = requires(const F& row) { row.block(0); };

template <typename F, int N, int R>
FATHOM_INLINE void multiply(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y, int64_t y_stride) {
  if constexpr (kHasBlocks<F>) {
    multiply_blocks<F, N, R>(w, n, x, x_stride, y, y_stride);
  } else {
    multiply_tile<F, N, R>(w, n, x, x_stride, y, y_stride);
  }
}

// N rows of weights times all rows of activations. Tiles have eight sums where they can: enough to hide the latency of adding,
// and as many as fit the registers with two rows of weights, which halve the traffic of activations.
template <typename F, int N>
FATHOM_INLINE void multiply_rows(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, int64_t m, float* y,
                                 int64_t y_stride) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) multiply<F, N, 4>(w, n, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
  x += i * x_stride;
  y += i * y_stride;
  if (m - i == 3) multiply<F, N, 3>(w, n, x, x_stride, y, y_stride);
  if (m - i == 2) multiply<F, N, 2>(w, n, x, x_stride, y, y_stride);
  if (m - i == 1) multiply<F, N, 1>(w, n, x, x_stride, y, y_stride);
}

template <typename F>
constexpr bool kHasEights = requires(const uint8_t* at) { F::load_eight(at); };

// Weights that the second-level cache holds pass by four rows of activations at a time, which then stay in the first: a page of
// latents and the queries of all heads, say.
constexpr int64_t kCachedBytes = 128 << 10;

template <typename F>
FATHOM_INLINE void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, int64_t m,
                          float* y, int64_t y_stride) {
  int64_t n = first_row;
  if constexpr (kHasEights<F>) {
    if ((last_row - first_row) * w.row_bytes <= kCachedBytes) {
      for (; m > 4; m -= 4, x += 4 * x_stride, y += 4 * y_stride) {
        for (n = first_row; n + 3 <= last_row; n += 3) multiply_three_by_four<F>(w, n, x, x_stride, y, y_stride);
        for (; n < last_row; ++n) multiply<F, 1, 4>(w, n, x, x_stride, y, y_stride);
      }
      n = first_row;
    }
  }
  if (m == 1) {
    for (; n + 4 <= last_row; n += 4) multiply<F, 4, 1>(w, n, x, x_stride, y, y_stride);
  }
  if constexpr (kHasEights<F>) {
    for (; m >= 4 && n + 3 <= last_row; n += 3) {
      int64_t i = 0;
      for (; i + 4 <= m; i += 4) multiply_three_by_four<F>(w, n, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
      if (i < m) multiply_rows<F, 3>(w, n, x + i * x_stride, x_stride, m - i, y + i * y_stride, y_stride);
    }
  }
  for (; n + 2 <= last_row; n += 2) multiply_rows<F, 2>(w, n, x, x_stride, m, y, y_stride);
  if (n < last_row) multiply_rows<F, 1>(w, n, x, x_stride, m, y, y_stride);
}

// ---- Sums of weight rows.

constexpr int kSumRows = 64;     // rows of weights, and
constexpr int kSumColumns = 32;  // columns of them, that are decoded together: 8 KB

// Rows [0, rows) of `weights`, kSumColumns apart, in ascending order onto sixteen columns of R rows of y.
template <int R>
FATHOM_INLINE void accumulate_columns(const float* weights, int64_t rows, const float* x, int64_t x_stride, float* y,
                                      int64_t y_stride) {
  Sixteen sums[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) sums[r] = load_x(y + r * y_stride);
  for (int64_t j = 0; j < rows; ++j) {
    const Sixteen row = load_x(weights + j * kSumColumns);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const __m256 factor = _mm256_broadcast_ss(x + r * x_stride + j);
      sums[r].low = _mm256_fmadd_ps(row.low, factor, sums[r].low);
      sums[r].high = _mm256_fmadd_ps(row.high, factor, sums[r].high);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    _mm256_storeu_ps(y + r * y_stride, sums[r].low);
    _mm256_storeu_ps(y + r * y_stride + 8, sums[r].high);
  }
}

// The same for a column or a few, of one row of y.
FATHOM_INLINE void accumulate_some(const float* weights, int64_t rows, const float* x, float* y, int64_t count) {
  Sixteen sum = load_x_some(y, count);
  for (int64_t j = 0; j < rows; ++j) {
    const Sixteen row = load_x(weights + j * kSumColumns);
    const __m256 factor = _mm256_broadcast_ss(x + j);
    sum.low = _mm256_fmadd_ps(row.low, factor, sum.low);
    sum.high = _mm256_fmadd_ps(row.high, factor, sum.high);
  }
  store_some(y, sum, count);
}

FATHOM_INLINE void keep(float* weights, Sixteen values) {
  _mm256_store_ps(weights, values.low);
  _mm256_store_ps(weights + 8, values.high);
}

// weights = columns [k, k + count) of row `row`, at most kSumColumns, and what else sixteen at a time bring.
template <typename F>
FATHOM_INLINE void decode_columns(const WeightRows& w, int64_t row, int64_t k, int64_t count, float* weights) {
  if constexpr (kHasBlocks<F>) {
    static_assert(kSumColumns == 32);
    const ThirtyTwo block = F(w, row).block(k / kSumColumns);
    keep(weights, block.first);
    keep(weights + 16, block.second);
  } else {
    const uint8_t* at = w.data + row * w.row_bytes + k * F::kBytes / 16;
    for (int64_t c = 0; c < count; c += 16, at += F::kBytes) {
      keep(weights + c, count - c >= 16 ? F::load(at, _mm256_setzero_ps()) : load_some<F>(at, count - c, _mm256_setzero_ps()));
    }
  }
}

// `count` columns from k on, at most kSumColumns, of `rows` rows from n on.
template <typename F>
FATHOM_INLINE void accumulate_block(const WeightRows& w, int64_t n, int64_t rows, int64_t k, int64_t count, const float* x,
                                    int64_t x_stride, int64_t m, float* y, int64_t y_stride) {
  alignas(32) float weights[kSumRows * kSumColumns];
  for (int64_t j = 0; j < rows; ++j) decode_columns<F>(w, n + j, k, count, weights + j * kSumColumns);
  for (int64_t c = 0; c < count; c += 16) {
    float* out = y + k + c;
    int64_t i = 0;
    if (count - c >= 16) {
      for (; i + 4 <= m; i += 4)
        accumulate_columns<4>(weights + c, rows, x + i * x_stride, x_stride, out + i * y_stride, y_stride);
      for (; i < m; ++i) accumulate_columns<1>(weights + c, rows, x + i * x_stride, x_stride, out + i * y_stride, y_stride);
    } else {
      for (; i < m; ++i) accumulate_some(weights + c, rows, x + i * x_stride, out + i * y_stride, count - c);
    }
  }
}

template <typename F>
FATHOM_INLINE void accumulate(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride,
                              int64_t m, float* y, int64_t y_stride) {
  for (int64_t n = first_row; n < last_row; n += kSumRows) {
    const int64_t rows = last_row - n < kSumRows ? last_row - n : kSumRows;
    for (int64_t k = 0; k < w.cols; k += kSumColumns) {
      const int64_t count = w.cols - k < kSumColumns ? w.cols - k : kSumColumns;
      accumulate_block<F>(w, n, rows, k, count, x + n - first_row, x_stride, m, y, y_stride);
    }
  }
}

// ---- Decoding.

template <typename F>
FATHOM_INLINE void decode(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out) {
  const int64_t segment = segment_cols<F>(w), last_col = first_col + count;
  const uint8_t* data = w.data + row * w.row_bytes;
  const RowFactors factors(w, row);
  for (int64_t k = first_col; k < last_col;) {
    const int64_t segment_end = (k / segment + 1) * segment, end = segment_end < last_col ? segment_end : last_col;
    const __m256 scale = scale_of<F>(factors, k / segment);
    for (; k + 16 <= end; k += 16) {
      const Sixteen values = F::load(data + k * F::kBytes / 16, scale);
      _mm256_storeu_ps(out + k - first_col, values.low);
      _mm256_storeu_ps(out + k - first_col + 8, values.high);
    }
    if (k < end) store_some(out + k - first_col, load_some<F>(data + k * F::kBytes / 16, end - k, scale), end - k);
    k = end;
  }
}

}  // namespace

// What avx2.cpp makes its table of.
#define FATHOM_MATMUL(format, Name)                                                                                    \
  void matmul_f32_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, \
                           int64_t m, float* y, int64_t y_stride) {                                                    \
    matmul<Name>(w, first_row, last_row, x, x_stride, m, y, y_stride);                                                 \
  }
#define FATHOM_DECODE(format, Name)                                                                      \
  void decode_##format(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out) { \
    decode<Name>(w, row, first_col, count, out);                                                         \
  }
#define FATHOM_ACCUMULATE(format, Name)                                                                                \
  void accumulate_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, \
                           int64_t m, float* y, int64_t y_stride) {                                                    \
    accumulate<Name>(w, first_row, last_row, x, x_stride, m, y, y_stride);                                             \
  }

FATHOM_MATMUL(f32, F32)
FATHOM_MATMUL(f16, F16)
FATHOM_MATMUL(bf16, BF16)
FATHOM_MATMUL(f8_e4m3, F8E4M3)
FATHOM_MATMUL(mxfp4, MXFP4)
FATHOM_MATMUL(q8_0, Q8_0)
void matmul_f32_f4_e2m1(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, int64_t m,
                        float* y, int64_t y_stride) {
  if (is_split_fp4(w)) {
    matmul<SplitFP4>(w, first_row, last_row, x, x_stride, m, y, y_stride);
  } else {
    matmul<F4E2M1>(w, first_row, last_row, x, x_stride, m, y, y_stride);
  }
}
FATHOM_DECODE(f32, F32)
FATHOM_DECODE(f16, F16)
FATHOM_DECODE(bf16, BF16)
FATHOM_DECODE(f8_e4m3, F8E4M3)
FATHOM_DECODE(f4_e2m1, F4E2M1)
FATHOM_ACCUMULATE(f32, F32)
FATHOM_ACCUMULATE(f16, F16)
FATHOM_ACCUMULATE(bf16, BF16)
FATHOM_ACCUMULATE(q8_0, Q8_0)

}  // namespace fathom::kernels::avx2
