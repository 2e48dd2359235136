// AVX-512: products of floating weights, and of Q8_0 as caches have it, with F32 activations, and sums of their rows. Weights
// are brought to F32 sixteen at a time; each element of a product has one accumulator of sixteen lanes, whatever the tile.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx512 {
namespace {

constexpr int64_t kLanes = 16;

FATHOM_INLINE __mmask16 first_lanes(int64_t count) { return count >= kLanes ? 0xffff : __mmask16((1u << count) - 1); }

template <typename T>
FATHOM_INLINE T load_as(const void* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

// 2^(e - 127): subnormal for 0, NaN for 255.
FATHOM_INLINE float from_e8m0(uint8_t e) {
  const uint32_t bits = e == 0 ? 0x00400000u : e == 255 ? 0x7fc00000u : uint32_t(e) << 23;
  return load_as<float>(&bits);
}

// ---- The formats. load() brings columns [k, k + 16) of a row to F32, reading only the lanes asked for. `context` is what a
// segment, the columns that share a factor, was prepared to by begin(). load_wide() does the same to kWide columns, and
// prefetches what `how` says.

FATHOM_INLINE void prefetch_from(const void* line, const Prefetch& how) {
  _mm_prefetch(static_cast<const char*>(line) + how.even, _MM_HINT_T0);
}

template <typename F, int kBytes>  // of a value
struct Unscaled {
  static constexpr bool kScaled = false;
  static constexpr int kWide = 64 / kBytes;
  static FATHOM_INLINE void load_wide(const uint8_t* row, int64_t k, __m512 context, const Prefetch& how,
                                      __m512 (&out)[kWide / kLanes]) {
    prefetch_from(row + kBytes * k, how);
#pragma GCC unroll 2
    for (int i = 0; i < kWide / kLanes; ++i) out[i] = F::load(row, k + kLanes * i, 0xffff, context);
  }
};

struct F32 : Unscaled<F32, 4> {
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16 lanes, __m512) {
    return _mm512_maskz_loadu_ps(lanes, row + 4 * k);
  }
};

struct F16 : Unscaled<F16, 2> {
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16 lanes, __m512) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, row + 2 * k));
  }
};

struct BF16 : Unscaled<BF16, 2> {
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16 lanes, __m512) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, row + 2 * k)), 16));
  }
};

struct F8E4M3 {
  static constexpr bool kScaled = true;
  static constexpr int kWide = 64;
  // Sign, exponent and fraction moved to their places in a half make the value times 2^-8: the biases are 7 and 15.
  static FATHOM_INLINE __m512 begin(float factor) { return _mm512_set1_ps(256.0f * factor); }
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16 lanes, __m512 scale) {
    const __m256i codes = _mm256_cvtepi8_epi16(_mm_maskz_loadu_epi8(lanes, row + k));
    const __m256i moved =
        _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(int16_t(0xbfff)));  // sign fills two bits
    const __m256i magnitude = _mm256_and_si256(moved, _mm256_set1_epi16(0x3fff));
    const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x3f80));
    const __m256i halves = _mm256_mask_mov_epi16(moved, nan, _mm256_set1_epi16(0x7e00));
    return _mm512_mul_ps(_mm512_cvtph_ps(halves), scale);
  }
  static FATHOM_INLINE void load_wide(const uint8_t* row, int64_t k, __m512 scale, const Prefetch& how, __m512 (&out)[4]) {
    prefetch_from(row + k, how);
    const __m512i codes = _mm512_loadu_si512(row + k);
    // a NaN's lower bits are all ones, and none is left of them one further
    if (__builtin_expect(_mm512_testn_epi8_mask(_mm512_add_epi8(codes, _mm512_set1_epi8(1)), _mm512_set1_epi8(0x7f)) != 0, 0)) {
      for (int i = 0; i < 4; ++i) out[i] = load(row, k + kLanes * i, 0xffff, scale);
      return;
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m512i words = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + k + 32 * h)));
      const __m512i halves = _mm512_and_si512(_mm512_slli_epi16(words, 7), _mm512_set1_epi16(int16_t(0xbfff)));
      out[2 * h] = _mm512_mul_ps(_mm512_cvtph_ps(_mm512_castsi512_si256(halves)), scale);
      out[2 * h + 1] = _mm512_mul_ps(_mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1)), scale);
    }
  }
};

FATHOM_INLINE __m512 scaled_e2m1(float factor) {
  const __m512 values =
      _mm512_setr_ps(0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f);
  return _mm512_mul_ps(values, _mm512_set1_ps(factor));
}

struct F4E2M1 {
  static constexpr bool kScaled = true;
  static constexpr int kWide = 32;
  static FATHOM_INLINE __m512 begin(float factor) { return scaled_e2m1(factor); }
  // Eight bytes, one to 64 bits; the copy 28 bits higher puts the upper nibble at the start of the upper 32.
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16 lanes, __m512 values) {
    const __mmask16 bytes = __mmask16((1u << (__builtin_popcount(lanes) + 1) / 2) - 1);
    const __m512i wide = _mm512_cvtepu8_epi64(_mm_maskz_loadu_epi8(bytes, row + k / 2));
    const __m512i nibbles = _mm512_or_si512(wide, _mm512_slli_epi64(wide, 28));
    return _mm512_permutexvar_ps(nibbles, values);
  }
  // Four bytes to eight lanes, which shift their own nibble to the start.
  static FATHOM_INLINE void load_wide(const uint8_t* row, int64_t k, __m512 values, const Prefetch& how, __m512 (&out)[2]) {
    prefetch_from(row + k / 2, how);
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + k / 2));
    const __m512i every = _mm512_broadcast_i32x4(codes);
    const __m512i shifts = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m512i which = _mm512_inserti64x4(_mm512_set1_epi32(2 * h), _mm256_set1_epi32(2 * h + 1), 1);
      const __m512i bytes = _mm512_castps_si512(_mm512_permutevar_ps(_mm512_castsi512_ps(every), which));
      out[h] = _mm512_permutexvar_ps(_mm512_srlv_epi32(bytes, shifts), values);
    }
  }
};

// Keeps a block's factor in front of it, and values j and j + 16 in one byte.
struct MXFP4 {
  static constexpr bool kScaled = true;
  static constexpr int kWide = 32;
  static FATHOM_INLINE __m512 begin(float factor) { return scaled_e2m1(factor); }
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16, __m512 values) {
    const uint8_t* codes = row + (k >> 5) * 17 + 1;
    const __m512i nibbles = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
    return _mm512_permutexvar_ps(k & 16 ? _mm512_srli_epi32(nibbles, 4) : nibbles, values);
  }
  static FATHOM_INLINE void load_wide(const uint8_t* row, int64_t k, __m512 values, const Prefetch& how, __m512 (&out)[2]) {
    const auto* codes = reinterpret_cast<const __m128i*>(row + (k >> 5) * 17 + 1);
    prefetch_from(codes, how);
    const __m512i nibbles = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes));
    out[0] = _mm512_permutexvar_ps(nibbles, values);
    out[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(nibbles, 4), values);
  }
};

// Keeps a block's factor in front of it, in F16.
struct Q8_0 {
  static constexpr bool kScaled = true;
  static constexpr int kWide = 32;
  static FATHOM_INLINE const uint8_t* block(const uint8_t* row, int64_t k) { return row + (k >> 5) * 34; }
  static FATHOM_INLINE float factor(const uint8_t* block) { return _cvtsh_ss(load_as<uint16_t>(block)); }
  static FATHOM_INLINE __m512 begin(float factor) { return _mm512_set1_ps(factor); }
  static FATHOM_INLINE __m512 load(const uint8_t* row, int64_t k, __mmask16, __m512 factor) {
    const auto* codes = reinterpret_cast<const __m128i*>(block(row, k) + 2 + (k & 16));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes))), factor);
  }
  static FATHOM_INLINE void load_wide(const uint8_t* row, int64_t k, __m512 factor, const Prefetch& how, __m512 (&out)[2]) {
    prefetch_from(block(row, k), how);
    out[0] = load(row, k, 0xffff, factor);
    out[1] = load(row, k + kLanes, 0xffff, factor);
  }
};

// ---- The factors of a row, one segment after the other.

template <typename F>
struct Factors {
  FATHOM_INLINE Factors(const WeightRows& w, int64_t row)
      : at(static_cast<const uint8_t*>(w.scales)), bytes(w.scale_is_e8m0 ? 1 : 4) {
    if (at) at += row / w.scale_rows * w.scale_stride * bytes;
  }
  Factors() = default;

  static FATHOM_INLINE int64_t segment_cols(const WeightRows& w) { return w.scales ? w.scale_cols : w.cols; }
  FATHOM_INLINE __m512 next() {
    if (!at) return F::begin(1.0f);
    const float factor = bytes == 1 ? from_e8m0(*at) : load_as<float>(at);
    at += bytes;
    return F::begin(factor);
  }

  const uint8_t* at = nullptr;
  int64_t bytes = 0;
};

// In front of every block of 32 columns.
struct BlockFactors {
  FATHOM_INLINE BlockFactors(const WeightRows& w, int64_t row) : at(w.data + row * w.row_bytes) {}
  BlockFactors() = default;

  static FATHOM_INLINE int64_t segment_cols(const WeightRows&) { return 32; }
  FATHOM_INLINE const uint8_t* next_block(int64_t bytes) {
    const uint8_t* const block = at;
    at += bytes;
    return block;
  }

  const uint8_t* at = nullptr;
};

template <>
struct Factors<MXFP4> : BlockFactors {
  using BlockFactors::BlockFactors;
  FATHOM_INLINE __m512 next() { return MXFP4::begin(from_e8m0(*next_block(17))); }
};

template <>
struct Factors<Q8_0> : BlockFactors {
  using BlockFactors::BlockFactors;
  FATHOM_INLINE __m512 next() { return Q8_0::begin(Q8_0::factor(next_block(34))); }
};

// ---- Products.

// The sums of the lanes of four accumulators. Lane l is added to lane l + 8, then 4, 2, 1 apart.
FATHOM_INLINE __m128 sum_lanes(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
  __m512 sums = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  sums = _mm512_add_ps(sums, _mm512_permute_ps(sums, 0x4e));
  sums = _mm512_add_ps(sums, _mm512_permute_ps(sums, 0xb1));
  return _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, sums));
}

template <int N>
FATHOM_INLINE void store_sums(__m128 sums, float* y, int64_t apart) {
  if (N == 4 && apart == 1) {
    _mm_storeu_ps(y, sums);
    return;
  }
  alignas(16) float each[4];
  _mm_store_ps(each, sums);
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) y[j * apart] = each[j];
}

// Sixteen columns of N rows of weights times R rows of activations.
template <typename F, int N, int R>
FATHOM_INLINE void multiply_columns(const uint8_t* const (&rows)[N], const __m512 (&context)[N], int64_t k, __mmask16 lanes,
                                    const float* x, int64_t x_stride, __m512 (&sums)[N][R]) {
  __m512 values[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) values[r] = _mm512_maskz_loadu_ps(lanes, x + r * x_stride + k);
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    const __m512 weights = F::load(rows[j], k, lanes, context[j]);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sums[j][r] = _mm512_fmadd_ps(weights, values[r], sums[j][r]);
  }
}

// F::kWide columns of them.
template <typename F, int N, int R>
FATHOM_INLINE void multiply_wide_columns(const uint8_t* const (&rows)[N], const __m512 (&context)[N], int64_t k, const float* x,
                                         int64_t x_stride, const Prefetch& how, __m512 (&sums)[N][R]) {
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    __m512 weights[F::kWide / kLanes];
    F::load_wide(rows[j], k, context[j], how, weights);
#pragma GCC unroll 4
    for (int i = 0; i < F::kWide / kLanes; ++i) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        sums[j][r] = _mm512_fmadd_ps(weights[i], _mm512_loadu_ps(x + r * x_stride + k + kLanes * i), sums[j][r]);
      }
    }
  }
}

// N rows of weights, `apart` rows from each other, times R rows of activations.
template <typename F, int N, int R>
void multiply_tile(const WeightRows& w, int64_t n, int64_t apart, const Prefetch& chosen, const float* x, int64_t x_stride,
                   float* y, int64_t y_stride) {
  const Prefetch how = chosen;  // in registers
  __m512 sums[N][R], context[N];
  const uint8_t* rows[N];
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    rows[j] = w.data + (n + j * apart) * w.row_bytes;
    context[j] = _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sums[j][r] = _mm512_setzero_ps();
  }
  const auto multiply_segment = [&](int64_t k, int64_t end) __attribute__((always_inline)) {
    for (; k + F::kWide <= end; k += F::kWide) multiply_wide_columns<F, N, R>(rows, context, k, x, x_stride, how, sums);
    for (; k + kLanes <= end; k += kLanes) multiply_columns<F, N, R>(rows, context, k, 0xffff, x, x_stride, sums);
    if (k < end) multiply_columns<F, N, R>(rows, context, k, first_lanes(end - k), x, x_stride, sums);
  };
  if constexpr (F::kScaled) {
    Factors<F> factors[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) factors[j] = Factors<F>(w, n + j * apart);
    const int64_t segment = Factors<F>::segment_cols(w);
    for (int64_t k = 0; k < w.cols; k += segment) {
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) context[j] = factors[j].next();
      multiply_segment(k, k + segment < w.cols ? k + segment : w.cols);
    }
  } else {
    multiply_segment(0, w.cols);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m512 zero = _mm512_setzero_ps();
    store_sums<N>(sum_lanes(sums[0][r], N > 1 ? sums[N > 1][r] : zero, N > 2 ? sums[N > 2 ? 2 : 0][r] : zero,
                            N > 3 ? sums[N > 3 ? 3 : 0][r] : zero),
                  y + r * y_stride + n, apart);
  }
}

template <typename F, int N>
FATHOM_INLINE void multiply_rows(const WeightRows& w, int64_t n, int64_t apart, const Prefetch& how, const float* x,
                                 int64_t x_stride, int64_t m, float* y, int64_t y_stride) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    multiply_tile<F, N, 4>(w, n, apart, how, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
  }
  x += i * x_stride;
  y += i * y_stride;
  if (m - i == 3) multiply_tile<F, N, 3>(w, n, apart, how, x, x_stride, y, y_stride);
  if (m - i == 2) multiply_tile<F, N, 2>(w, n, apart, how, x, x_stride, y, y_stride);
  if (m - i == 1) multiply_tile<F, N, 1>(w, n, apart, how, x, x_stride, y, y_stride);
}

// Four rows of weights at a time. For few rows of activations they lie a quarter of the range apart: memory sees four long
// streams, which the processor prefetches by itself. For many, neighbours serve better: so do their sums lie.
template <typename F>
FATHOM_INLINE void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, int64_t m,
                          float* y, int64_t y_stride) {
  const Prefetch& how = prefetch_for(m, w.prefetch ? *w.prefetch : kFloatPrefetch);
  const int64_t quarter = (last_row - first_row) / 4;
  const int64_t step = m > 4 ? 4 : 1, apart = m > 4 ? 1 : quarter;
  for (int64_t j = 0; j < quarter; ++j) {
    multiply_rows<F, 4>(w, first_row + j * step, apart, how, x, x_stride, m, y, y_stride);
  }
  for (int64_t n = first_row + 4 * quarter; n < last_row; ++n) multiply_rows<F, 1>(w, n, 0, how, x, x_stride, m, y, y_stride);
}

// ---- Sums of weight rows.

// Columns [k + 16 c, k + 16 c + 16) of a row, for c in [0, C): the last of them `lanes` only.
template <typename F, int C>
FATHOM_INLINE void load_columns(const uint8_t* row, int64_t k, __mmask16 lanes, __m512 (&out)[C]) {
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    __m512 context = _mm512_setzero_ps();
    if constexpr (F::kScaled) context = F::begin(F::factor(F::block(row, k + kLanes * c)));
    out[c] = F::load(row, k + kLanes * c, c == C - 1 ? lanes : __mmask16(0xffff), context);
  }
}

// `count` rows in ascending order onto C times sixteen columns (the last sixteen masked) of R rows of y, held in registers.
template <typename F, int C, int R>
void accumulate_tile(const WeightRows& w, int64_t n, int64_t count, int64_t k, __mmask16 lanes, const float* x,
                     int64_t x_stride, float* y, int64_t y_stride) {
  const auto lanes_of = [&](int c) { return c == C - 1 ? lanes : __mmask16(0xffff); };
  __m512 sums[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sums[r][c] = _mm512_maskz_loadu_ps(lanes_of(c), y + r * y_stride + k + kLanes * c);
  }
  const uint8_t* row = w.data + n * w.row_bytes;
  for (int64_t j = 0; j < count; ++j, row += w.row_bytes) {
    __m512 weights[C];
    load_columns<F, C>(row, k, lanes, weights);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512 factor = _mm512_set1_ps(x[r * x_stride + j]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[r][c] = _mm512_fmadd_ps(factor, weights[c], sums[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) _mm512_mask_storeu_ps(y + r * y_stride + k + kLanes * c, lanes_of(c), sums[r][c]);
  }
}

template <typename F, int C>
FATHOM_INLINE void accumulate_columns(const WeightRows& w, int64_t n, int64_t count, int64_t k, __mmask16 lanes, const float* x,
                                      int64_t x_stride, int64_t m, float* y, int64_t y_stride) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    accumulate_tile<F, C, 4>(w, n, count, k, lanes, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
  }
  for (; i < m; ++i) {
    accumulate_tile<F, C, 1>(w, n, count, k, lanes, x + i * x_stride, x_stride, y + i * y_stride, y_stride);
  }
}

template <typename F>
FATHOM_INLINE void accumulate(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride,
                              int64_t m, float* y, int64_t y_stride) {
  constexpr int64_t kRun = 64;  // rows whose pieces stay in the first-level cache while the tiles of y pass over them
  constexpr int kTileCols = 4;
  for (int64_t n = first_row; n < last_row; n += kRun) {
    const int64_t count = n + kRun < last_row ? kRun : last_row - n;
    const float* factors = x + (n - first_row);
    int64_t k = 0;
    for (; k + kTileCols * kLanes <= w.cols; k += kTileCols * kLanes) {
      accumulate_columns<F, kTileCols>(w, n, count, k, 0xffff, factors, x_stride, m, y, y_stride);
    }
    for (; k < w.cols; k += kLanes) {
      accumulate_columns<F, 1>(w, n, count, k, first_lanes(w.cols - k), factors, x_stride, m, y, y_stride);
    }
  }
}

}  // namespace

// What the tables are made of.
#define FATHOM_MATMUL(format, Name)                                                                                    \
  void matmul_f32_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride, \
                           int64_t m, float* y, int64_t y_stride) {                                                    \
    matmul<Name>(w, first_row, last_row, x, x_stride, m, y, y_stride);                                                 \
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
FATHOM_MATMUL(q8_0, Q8_0)

FATHOM_ACCUMULATE(f32, F32)
FATHOM_ACCUMULATE(f16, F16)
FATHOM_ACCUMULATE(bf16, BF16)
FATHOM_ACCUMULATE(q8_0, Q8_0)

}  // namespace fathom::kernels::avx512
