// AVX2: operations on vectors. Eight lanes at a time; the last few by masked loads, through the same arithmetic.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx2 {
namespace {

constexpr int64_t kLanes = 8;

FATHOM_INLINE __m256i first_lanes(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Up to eight values; lanes behind `count` are 0, and are not written.
FATHOM_INLINE __m256 load(const float* at, int64_t count) {
  return count >= kLanes ? _mm256_loadu_ps(at) : _mm256_maskload_ps(at, first_lanes(count));
}
FATHOM_INLINE void store(float* at, __m256 values, int64_t count) {
  if (count >= kLanes)
    _mm256_storeu_ps(at, values);
  else
    _mm256_maskstore_ps(at, first_lanes(count), values);
}

FATHOM_INLINE float sum_lanes(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
FATHOM_INLINE float max_lanes(__m256 v) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// 2^n for n in [-126, 127].
FATHOM_INLINE __m256 power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

// exp(x) = 2^n exp(r), |r| <= ln(2) / 2, where the series up to r^7 is off by less than r^8 / 8! < 6e-9.
FATHOM_INLINE __m256 exp(__m256 x) {
  const __m256 low = _mm256_set1_ps(-87.0f), high = _mm256_set1_ps(89.0f);
  const __m256 below = _mm256_cmp_ps(x, low, _CMP_LT_OQ);
  x = _mm256_max_ps(low, _mm256_min_ps(high, x));  // in this order of operands a NaN stays
  const __m256 n =
      _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts: n times the first, of 15 bits, is exact.
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.62e4p-1f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.7f7d1cp-20f), r);
  __m256 p = _mm256_set1_ps(1.0f / 5040.0f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  // n may be 128: in two halves, so that only results that are too large become infinite.
  const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
  p = _mm256_mul_ps(_mm256_mul_ps(p, power_of_two(half)), power_of_two(_mm256_sub_epi32(whole, half)));
  return _mm256_andnot_ps(below, p);
}

// g * sigmoid(slope * g)
FATHOM_INLINE __m256 silu(__m256 g, __m256 slope) {
  const __m256 e = exp(_mm256_mul_ps(_mm256_xor_ps(slope, _mm256_set1_ps(-0.0f)), g));
  return _mm256_div_ps(g, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

FATHOM_INLINE __m256 clamp(__m256 x, float limit) {
  return _mm256_max_ps(_mm256_set1_ps(-limit), _mm256_min_ps(_mm256_set1_ps(limit), x));
}

// 32 values as bytes, nearest even.
FATHOM_INLINE __m256i round_to_bytes(const __m256* x, __m256 factor) {
  __m256i whole[4];
  for (int j = 0; j < 4; ++j) whole[j] = _mm256_cvtps_epi32(_mm256_mul_ps(x[j], factor));
  const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));  // packing works within halves
}

// Rounded to the upper half of an F32, in the lower 16 bits of each lane.
FATHOM_INLINE __m256i to_bf16(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}

// Eight 16-bit values, `count` of them stored.
FATHOM_INLINE void store_u16(uint16_t* at, __m128i values, int64_t count) {
  if (count >= kLanes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), values);
  } else {
    __builtin_memcpy(at, &values, size_t(count) * sizeof *at);
  }
}

}  // namespace

// The arithmetic is the scalar table's, operation by operation: the bits must be the same.
void quantise_row(const float* x, int64_t n, int8_t* values, float* scales, int16_t* sums) {
  const __m256 magnitude_bits = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  for (int64_t k = 0; k < n; k += 32) {
    __m256 block[4], largest = _mm256_setzero_ps();
    for (int j = 0; j < 4; ++j) {
      block[j] = _mm256_loadu_ps(x + k + 8 * j);
      largest = _mm256_max_ps(_mm256_and_ps(block[j], magnitude_bits), largest);
    }
    const float quotient = max_lanes(largest) / 127.0f;
    const float scale = quotient < 0x1p-126f ? 0.0f : quotient;
    const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    scales[k / 32] = scale;

    const __m256i bytes = round_to_bytes(block, _mm256_set1_ps(inverse));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + k), bytes);
    const __m256i fours = _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes), _mm256_set1_epi16(1));
    const __m256i eights = _mm256_add_epi32(fours, _mm256_shuffle_epi32(fours, 0x4e));
    const __m256i sixteens = _mm256_add_epi32(eights, _mm256_shuffle_epi32(eights, 0xb1));
    sums[k / 16] = int16_t(_mm256_extract_epi32(sixteens, 0));
    sums[k / 16 + 1] = int16_t(_mm256_extract_epi32(sixteens, 4));
  }
}

void f32_to_f16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t k = 0; k < n; k += kLanes) {
    store_u16(out + k, _mm256_cvtps_ph(load(x + k, n - k), _MM_FROUND_TO_NEAREST_INT), n - k);
  }
}

void f32_to_bf16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t k = 0; k < n; k += kLanes) {
    const __m256i wide = to_bf16(load(x + k, n - k));
    store_u16(out + k, _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1)), n - k);
  }
}

void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* y) {
  __m256 squares[4] = {};
  int64_t k = 0;
  for (; k + 4 * kLanes <= n; k += 4 * kLanes) {
    for (int j = 0; j < 4; ++j) {
      const __m256 v = _mm256_loadu_ps(x + k + kLanes * j);
      squares[j] = _mm256_fmadd_ps(v, v, squares[j]);
    }
  }
  for (; k < n; k += kLanes) {
    const __m256 v = load(x + k, n - k);
    squares[0] = _mm256_fmadd_ps(v, v, squares[0]);
  }
  const float sum = sum_lanes(_mm256_add_ps(_mm256_add_ps(squares[0], squares[1]), _mm256_add_ps(squares[2], squares[3])));
  const __m128 root = _mm_sqrt_ss(_mm_set_ss(sum / float(n) + eps));
  const __m256 factor = _mm256_set1_ps(1.0f / _mm_cvtss_f32(root));
  for (k = 0; k < n; k += kLanes) {
    const __m256 v = _mm256_mul_ps(load(x + k, n - k), factor);
    store(y + k, weight ? _mm256_mul_ps(v, load(weight + k, n - k)) : v, n - k);
  }
}

void add(float* x, const float* y, int64_t n) {
  for (int64_t k = 0; k < n; k += kLanes) store(x + k, _mm256_add_ps(load(x + k, n - k), load(y + k, n - k)), n - k);
}

void axpy(float a, const float* x, float* y, int64_t n) {
  const __m256 factor = _mm256_set1_ps(a);
  for (int64_t k = 0; k < n; k += kLanes) store(y + k, _mm256_fmadd_ps(factor, load(x + k, n - k), load(y + k, n - k)), n - k);
}

void scale(float a, float* x, int64_t n) {
  const __m256 factor = _mm256_set1_ps(a);
  for (int64_t k = 0; k < n; k += kLanes) store(x + k, _mm256_mul_ps(factor, load(x + k, n - k)), n - k);
}

void silu_mul(const float* gate, const float* up, float* y, int64_t n) {
  const __m256 slope = _mm256_set1_ps(1.0f);
  for (int64_t k = 0; k < n; k += kLanes) {
    store(y + k, _mm256_mul_ps(silu(load(gate + k, n - k), slope), load(up + k, n - k)), n - k);
  }
}

void silu_mul_clamped(const float* gate, const float* up, float limit, float* y, int64_t n) {
  const __m256 slope = _mm256_set1_ps(1.0f), most = _mm256_set1_ps(limit);
  for (int64_t k = 0; k < n; k += kLanes) {
    const __m256 g = _mm256_min_ps(most, load(gate + k, n - k));
    store(y + k, _mm256_mul_ps(silu(g, slope), clamp(load(up + k, n - k), limit)), n - k);
  }
}

void swiglu_oai(const float* gate, const float* up, float limit, float* y, int64_t n) {
  const __m256 slope = _mm256_set1_ps(1.702f), most = _mm256_set1_ps(limit), one = _mm256_set1_ps(1.0f);
  for (int64_t k = 0; k < n; k += kLanes) {
    const __m256 g = _mm256_min_ps(most, load(gate + k, n - k));
    const __m256 u = _mm256_add_ps(clamp(load(up + k, n - k), limit), one);
    store(y + k, _mm256_mul_ps(silu(g, slope), u), n - k);
  }
}

float max(const float* x, int64_t n) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  __m256 largest = lowest;
  for (int64_t k = 0; k < n; k += kLanes) {
    const __m256 lanes = _mm256_castsi256_ps(first_lanes(n - k < kLanes ? n - k : kLanes));
    largest = _mm256_max_ps(_mm256_blendv_ps(lowest, load(x + k, n - k), lanes), largest);  // a NaN gives the second operand
  }
  return max_lanes(largest);
}

float exp_sum(float* x, float shift, int64_t n) {
  const __m256 offset = _mm256_set1_ps(shift);
  __m256 sum = _mm256_setzero_ps();
  for (int64_t k = 0; k < n; k += kLanes) {
    const __m256 lanes = _mm256_castsi256_ps(first_lanes(n - k < kLanes ? n - k : kLanes));
    const __m256 power = exp(_mm256_sub_ps(load(x + k, n - k), offset));
    store(x + k, power, n - k);
    sum = _mm256_add_ps(sum, _mm256_and_ps(power, lanes));
  }
  return sum_lanes(sum);
}

void rope_interleaved(float* x, const float* cos, const float* sin, int64_t n_pairs) {
  const __m256i each_twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  for (int64_t i = 0; i < n_pairs; i += 4) {
    const int64_t pairs = n_pairs - i < 4 ? n_pairs - i : 4;
    const __m256 c = _mm256_permutevar8x32_ps(load(cos + i, pairs), each_twice);
    const __m256 s = _mm256_permutevar8x32_ps(load(sin + i, pairs), each_twice);
    const __m256 v = load(x + 2 * i, 2 * pairs), swapped = _mm256_permute_ps(v, 0xb1);
    store(x + 2 * i, _mm256_fmaddsub_ps(v, c, _mm256_mul_ps(swapped, s)), 2 * pairs);  // a c - b s, b c + a s
  }
}

void rope_half(float* x, const float* cos, const float* sin, int64_t n_pairs) {
  for (int64_t i = 0; i < n_pairs; i += kLanes) {
    const int64_t pairs = n_pairs - i;
    const __m256 a = load(x + i, pairs), b = load(x + n_pairs + i, pairs);
    const __m256 c = load(cos + i, pairs), s = load(sin + i, pairs);
    store(x + i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)), pairs);
    store(x + n_pairs + i, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)), pairs);
  }
}

}  // namespace fathom::kernels::avx2
