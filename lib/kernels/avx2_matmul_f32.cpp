// AVX2: products of floating weights with F32 activations, sums of weight rows, and the decoding of those weights.
// Weights are brought to F32 sixteen at a time; each element of a product has two accumulators, whatever the tile.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx2 {
namespace {

#define FATHOM_INLINE inline __attribute__((always_inline))

struct Sixteen {
  __m256 low, high;
};

FATHOM_INLINE __m128i load_128(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
FATHOM_INLINE __m256 from_bf16(__m128i bits) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }

// ---- The formats: kBytes a sixteen values at `at`, times `scale` where kScaled.

struct F32 {
  static constexpr bool kScaled = false;
  static constexpr int kBytes = 64;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256) {
    const float* values = reinterpret_cast<const float*>(at);
    return {_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)};
  }
};

struct F16 {
  static constexpr bool kScaled = false;
  static constexpr int kBytes = 32;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256) {
    return {_mm256_cvtph_ps(load_128(at)), _mm256_cvtph_ps(load_128(at + 16))};
  }
};

struct BF16 {
  static constexpr bool kScaled = false;
  static constexpr int kBytes = 32;
  static FATHOM_INLINE Sixteen load(const uint8_t* at, __m256) {
    return {from_bf16(load_128(at)), from_bf16(load_128(at + 16))};
  }
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
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)), fifteen = _mm_set1_epi8(15);
    const __m128i low = _mm_and_si128(bytes, fifteen), high = _mm_and_si128(_mm_srli_epi16(bytes, 4), fifteen);
    return from_e2m1(_mm_unpacklo_epi8(low, high), scale);
  }
};

// ---- Factors beside the weights.

FATHOM_INLINE float from_e8m0(uint8_t e) {
  const uint32_t bits = e == 0 ? 0x00400000u : e == 255 ? 0x7fc00000u : uint32_t(e) << 23;
  float power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return power;
}

FATHOM_INLINE float factor_at(const WeightRows& w, int64_t row, int64_t col) {
  if (!w.scales) return 1.0f;
  const int64_t index = row / w.scale_rows * w.scale_stride + col / w.scale_cols;
  const uint8_t* factors = static_cast<const uint8_t*>(w.scales);
  if (w.scale_is_e8m0) return from_e8m0(factors[index]);
  float factor;
  __builtin_memcpy(&factor, factors + 4 * index, sizeof factor);
  return factor;
}

// Columns that share a factor.
template <typename F>
FATHOM_INLINE int64_t segment_cols(const WeightRows& w) {
  return F::kScaled && w.scales ? w.scale_cols : w.cols;
}

template <typename F>
FATHOM_INLINE __m256 scale_of(const WeightRows& w, int64_t row, int64_t col) {
  if constexpr (F::kScaled) return _mm256_set1_ps(F::kUnit * factor_at(w, row, col));
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

FATHOM_INLINE float sum_lanes(Sixteen v) {
  const __m256 eight = _mm256_add_ps(v.low, v.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

FATHOM_INLINE void add_product(Sixteen weights, Sixteen x, Sixteen& sum) {
  sum.low = _mm256_fmadd_ps(weights.low, x.low, sum.low);
  sum.high = _mm256_fmadd_ps(weights.high, x.high, sum.high);
}

// N rows of weights times R rows of activations.
template <typename F, int N, int R>
FATHOM_INLINE void multiply_tile(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y, int64_t y_stride) {
  Sixteen sums[N][R] = {};
  const int64_t segment = segment_cols<F>(w);
  for (int64_t begin = 0; begin < w.cols; begin += segment) {
    const int64_t end = begin + segment < w.cols ? begin + segment : w.cols;
    const uint8_t* at[N];
    __m256 scale[N];
    for (int j = 0; j < N; ++j) {
      at[j] = w.data + (n + j) * w.row_bytes + begin * F::kBytes / 16;
      scale[j] = scale_of<F>(w, n + j, begin);
    }
    int64_t k = begin;
    for (; k + 16 <= end; k += 16) {
      Sixteen values[R];
      for (int r = 0; r < R; ++r) values[r] = load_x(x + r * x_stride + k);
      for (int j = 0; j < N; ++j, at[j - 1] += F::kBytes) {
        const Sixteen weights = F::load(at[j], scale[j]);
        for (int r = 0; r < R; ++r) add_product(weights, values[r], sums[j][r]);
      }
    }
    if (k == end) continue;
    for (int j = 0; j < N; ++j) {
      const Sixteen weights = load_some<F>(at[j], end - k, scale[j]);
      for (int r = 0; r < R; ++r) add_product(weights, load_x_some(x + r * x_stride + k, end - k), sums[j][r]);
    }
  }
  for (int j = 0; j < N; ++j) {
    for (int r = 0; r < R; ++r) y[r * y_stride + n + j] = sum_lanes(sums[j][r]);
  }
}

// MXFP4 keeps a block's factor in front of it, and values j and j + 16 in one byte.
struct MXFP4 {};
template <int N, int R>
FATHOM_INLINE void multiply_mxfp4(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y,
                                  int64_t y_stride) {
  constexpr int kBlockBytes = 17;
  Sixteen sums[N][R] = {};
  const __m128i fifteen = _mm_set1_epi8(15);
  for (int64_t k = 0; k < w.cols; k += 32) {
    for (int j = 0; j < N; ++j) {
      const uint8_t* at = w.data + (n + j) * w.row_bytes + k / 32 * kBlockBytes;
      const __m256 scale = _mm256_set1_ps(from_e8m0(at[0]));
      const __m128i bytes = load_128(at + 1);
      const Sixteen first = from_e2m1(_mm_and_si128(bytes, fifteen), scale);
      const Sixteen second = from_e2m1(_mm_and_si128(_mm_srli_epi16(bytes, 4), fifteen), scale);
      for (int r = 0; r < R; ++r) {
        add_product(first, load_x(x + r * x_stride + k), sums[j][r]);
        add_product(second, load_x(x + r * x_stride + k + 16), sums[j][r]);
      }
    }
  }
  for (int j = 0; j < N; ++j) {
    for (int r = 0; r < R; ++r) y[r * y_stride + n + j] = sum_lanes(sums[j][r]);
  }
}

template <typename F, int N, int R>
struct Tile {
  static FATHOM_INLINE void multiply(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y,
                                     int64_t y_stride) {
    multiply_tile<F, N, R>(w, n, x, x_stride, y, y_stride);
  }
};
template <int N, int R>
struct Tile<MXFP4, N, R> {
  static FATHOM_INLINE void multiply(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, float* y,
                                     int64_t y_stride) {
    multiply_mxfp4<N, R>(w, n, x, x_stride, y, y_stride);
  }
};

// One row of activations: four rows of weights at once, to have enough sums under way to hide the latency of adding.
template <typename F>
FATHOM_INLINE void matvec(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, float* y) {
  int64_t n = first_row;
  for (; n + 4 <= last_row; n += 4) Tile<F, 4, 1>::multiply(w, n, x, 0, y, 0);
  for (; n < last_row; ++n) Tile<F, 1, 1>::multiply(w, n, x, 0, y, 0);
}

template <typename F>
FATHOM_INLINE void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, int64_t m,
                          float* y, int64_t y_stride) {
  if (m == 1) return matvec<F>(w, first_row, last_row, x, y);
  for (int64_t n = first_row; n < last_row; ++n) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) Tile<F, 1, 4>::multiply(w, n, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
    if (m - i == 3) Tile<F, 1, 3>::multiply(w, n, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
    if (m - i == 2) Tile<F, 1, 2>::multiply(w, n, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
    if (m - i == 1) Tile<F, 1, 1>::multiply(w, n, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
  }
}

// ---- Sums of weight rows.

// N rows in ascending order onto sixteen columns (or `count` of them) of one row of y.
template <typename F, int N>
FATHOM_INLINE void accumulate_columns(const Sixteen* weights, const float* x, float* y, int64_t count) {
  Sixteen sum = count == 16 ? load_x(y) : load_x_some(y, count);
  for (int j = 0; j < N; ++j) {
    const __m256 factor = _mm256_broadcast_ss(x + j);
    add_product(weights[j], {factor, factor}, sum);
  }
  if (count == 16) {
    _mm256_storeu_ps(y, sum.low);
    _mm256_storeu_ps(y + 8, sum.high);
  } else {
    store_some(y, sum, count);
  }
}

template <typename F, int N>
FATHOM_INLINE void accumulate_tile(const WeightRows& w, int64_t n, const float* x, int64_t x_stride, int64_t m, float* y,
                                   int64_t y_stride) {
  const uint8_t* row = w.data + n * w.row_bytes;
  Sixteen weights[N];
  int64_t k = 0;
  for (; k + 16 <= w.cols; k += 16) {
    for (int j = 0; j < N; ++j) weights[j] = F::load(row + j * w.row_bytes + k * F::kBytes / 16, _mm256_setzero_ps());
    for (int64_t i = 0; i < m; ++i) accumulate_columns<F, N>(weights, x + i * x_stride, y + i * y_stride + k, 16);
  }
  if (k == w.cols) return;
  for (int j = 0; j < N; ++j)
    weights[j] = load_some<F>(row + j * w.row_bytes + k * F::kBytes / 16, w.cols - k, _mm256_setzero_ps());
  for (int64_t i = 0; i < m; ++i) accumulate_columns<F, N>(weights, x + i * x_stride, y + i * y_stride + k, w.cols - k);
}

template <typename F>
FATHOM_INLINE void accumulate(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride,
                              int64_t m, float* y, int64_t y_stride) {
  int64_t n = first_row;
  for (; n + 4 <= last_row; n += 4) accumulate_tile<F, 4>(w, n, x + n - first_row, x_stride, m, y, y_stride);
  for (; n < last_row; ++n) accumulate_tile<F, 1>(w, n, x + n - first_row, x_stride, m, y, y_stride);
}

// ---- Decoding.

template <typename F>
FATHOM_INLINE void decode(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out) {
  const int64_t segment = segment_cols<F>(w), last_col = first_col + count;
  const uint8_t* data = w.data + row * w.row_bytes;
  for (int64_t k = first_col; k < last_col;) {
    const int64_t segment_end = (k / segment + 1) * segment, end = segment_end < last_col ? segment_end : last_col;
    const __m256 scale = scale_of<F>(w, row, k);
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
FATHOM_MATMUL(f4_e2m1, F4E2M1)
FATHOM_MATMUL(mxfp4, MXFP4)
FATHOM_DECODE(f32, F32)
FATHOM_DECODE(f16, F16)
FATHOM_DECODE(bf16, BF16)
FATHOM_DECODE(f8_e4m3, F8E4M3)
FATHOM_DECODE(f4_e2m1, F4E2M1)
FATHOM_ACCUMULATE(f32, F32)
FATHOM_ACCUMULATE(f16, F16)
FATHOM_ACCUMULATE(bf16, BF16)

}  // namespace fathom::kernels::avx2
