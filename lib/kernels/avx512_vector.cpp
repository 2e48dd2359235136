// AVX-512: operations on vectors. Sixteen lanes at a time; the last few by masks, through the same arithmetic.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx512 {
namespace {

constexpr int64_t kLanes = 16;
constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

FATHOM_INLINE __mmask16 first_lanes(int64_t count) { return count >= kLanes ? 0xffff : __mmask16((1u << count) - 1); }
FATHOM_INLINE __m512 load(const float* at, __mmask16 lanes) { return _mm512_maskz_loadu_ps(lanes, at); }
FATHOM_INLINE void store(float* at, __m512 values, __mmask16 lanes) { _mm512_mask_storeu_ps(at, lanes, values); }
FATHOM_INLINE __m512 set(float value) { return _mm512_set1_ps(value); }

// Calls body(k, lanes) for every sixteen of n values.
template <typename Body>
FATHOM_INLINE void for_lanes(int64_t n, Body body) {
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) body(k, __mmask16(0xffff));
  if (k < n) body(k, first_lanes(n - k));
}

// exp(x) = 2^n exp(r), |r| <= ln(2) / 2, where the series up to r^7 is off by less than r^8 / 8! < 6e-9.
FATHOM_INLINE __m512 exp(__m512 x) {
  const __mmask16 in_range = _mm512_cmp_ps_mask(x, set(-87.0f), _CMP_NLT_UQ);  // true of a NaN
  x = _mm512_min_ps(set(89.0f), x);                                            // in this order of operands a NaN stays
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, set(1.44269504f)), kNearest);
  // ln 2 in two parts: n times the first, of 15 bits, is exact.
  const __m512 r = _mm512_fnmadd_ps(n, set(0x1.7f7d1cp-20f), _mm512_fnmadd_ps(n, set(0x1.62e4p-1f), x));
  __m512 p = set(1.0f / 5040.0f);
  p = _mm512_fmadd_ps(p, r, set(1.0f / 720.0f));
  p = _mm512_fmadd_ps(p, r, set(1.0f / 120.0f));
  p = _mm512_fmadd_ps(p, r, set(1.0f / 24.0f));
  p = _mm512_fmadd_ps(p, r, set(1.0f / 6.0f));
  p = _mm512_fmadd_ps(p, r, set(0.5f));
  p = _mm512_fmadd_ps(p, r, set(1.0f));
  p = _mm512_fmadd_ps(p, r, set(1.0f));
  return _mm512_maskz_scalef_ps(in_range, p, n);
}

// g * sigmoid(slope * g)
FATHOM_INLINE __m512 silu(__m512 g, float slope) {
  return _mm512_div_ps(g, _mm512_add_ps(set(1.0f), exp(_mm512_mul_ps(set(-slope), g))));
}

FATHOM_INLINE __m512 clamp(__m512 x, float limit) { return _mm512_max_ps(set(-limit), _mm512_min_ps(set(limit), x)); }

// Sixteen values as bytes, to nearest even; what is not a number becomes 0.
FATHOM_INLINE __m128i round_to_bytes(__m512 codes) {
  const __mmask16 numbers = _mm512_cmp_ps_mask(codes, codes, _CMP_ORD_Q);
  return _mm512_cvtsepi32_epi8(_mm512_maskz_cvt_roundps_epi32(numbers, codes, kNearest));
}

// The sum of sixteen bytes.
FATHOM_INLINE int16_t sum_bytes(__m128i bytes) {
  const __m128i fours = _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), bytes), _mm_set1_epi16(1));
  const __m128i eights = _mm_add_epi32(fours, _mm_shuffle_epi32(fours, 0x4e));
  return int16_t(_mm_cvtsi128_si32(_mm_add_epi32(eights, _mm_shuffle_epi32(eights, 0xb1))));
}

}  // namespace

// The arithmetic is the scalar table's, operation by operation: the bits must be the same.
void quantise_row(const float* x, int64_t n, int8_t* values, float* scales, int16_t* sums) {
  for (int64_t k = 0; k < n; k += 32) {
    const __m512 low = _mm512_loadu_ps(x + k), high = _mm512_loadu_ps(x + k + 16);
    // A NaN gives the second operand of max, so it loses.
    const __m512 largest = _mm512_max_ps(_mm512_abs_ps(high), _mm512_max_ps(_mm512_abs_ps(low), _mm512_setzero_ps()));
    const float quotient = _mm512_reduce_max_ps(largest) / 127.0f;
    const float scale = quotient < 0x1p-126f ? 0.0f : quotient;
    const __m512 inverse = set(scale == 0.0f ? 0.0f : 1.0f / scale);
    scales[k / 32] = scale;
    const __m128i first = round_to_bytes(_mm512_mul_ps(low, inverse)), second = round_to_bytes(_mm512_mul_ps(high, inverse));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(values + k), _mm256_set_m128i(second, first));
    sums[k / 16] = sum_bytes(first);
    sums[k / 16 + 1] = sum_bytes(second);
  }
}

void f32_to_f16(const float* x, int64_t n, uint16_t* out) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    _mm256_mask_storeu_epi16(out + k, lanes, _mm512_cvtps_ph(load(x + k, lanes), kNearest));
  });
}

// In integers, not by vcvtneps2bf16: that instruction takes subnormal numbers for zero.
void f32_to_bf16(const float* x, int64_t n, uint16_t* out) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    const __m512 values = load(x + k, lanes);
    const __m512i bits = _mm512_castps_si512(values);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
    const __m512i kept = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_mask_storeu_epi16(out + k, lanes, _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16)));
  });
}

void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* y) {
  __m512 squares[4] = {};
  int64_t k = 0;
  for (; k + 4 * kLanes <= n; k += 4 * kLanes) {
    for (int j = 0; j < 4; ++j) {
      const __m512 v = _mm512_loadu_ps(x + k + kLanes * j);
      squares[j] = _mm512_fmadd_ps(v, v, squares[j]);
    }
  }
  for_lanes(n - k, [&](int64_t at, __mmask16 lanes) {
    const __m512 v = load(x + k + at, lanes);
    squares[0] = _mm512_fmadd_ps(v, v, squares[0]);
  });
  const __m512 sum = _mm512_add_ps(_mm512_add_ps(squares[0], squares[1]), _mm512_add_ps(squares[2], squares[3]));
  const __m128 mean = _mm_set_ss(_mm512_reduce_add_ps(sum) / float(n) + eps);
  const __m512 factor = set(1.0f / _mm_cvtss_f32(_mm_sqrt_ss(mean)));
  for_lanes(n, [&](int64_t at, __mmask16 lanes) {
    const __m512 v = _mm512_mul_ps(load(x + at, lanes), factor);
    store(y + at, weight ? _mm512_mul_ps(v, load(weight + at, lanes)) : v, lanes);
  });
}

void add(float* x, const float* y, int64_t n) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) { store(x + k, _mm512_add_ps(load(x + k, lanes), load(y + k, lanes)), lanes); });
}

void axpy(float a, const float* x, float* y, int64_t n) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    store(y + k, _mm512_fmadd_ps(set(a), load(x + k, lanes), load(y + k, lanes)), lanes);
  });
}

void scale(float a, float* x, int64_t n) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) { store(x + k, _mm512_mul_ps(set(a), load(x + k, lanes)), lanes); });
}

void silu_mul(const float* gate, const float* up, float* y, int64_t n) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    store(y + k, _mm512_mul_ps(silu(load(gate + k, lanes), 1.0f), load(up + k, lanes)), lanes);
  });
}

void silu_mul_clamped(const float* gate, const float* up, float limit, float* y, int64_t n) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    const __m512 g = _mm512_min_ps(set(limit), load(gate + k, lanes));
    store(y + k, _mm512_mul_ps(silu(g, 1.0f), clamp(load(up + k, lanes), limit)), lanes);
  });
}

void swiglu_oai(const float* gate, const float* up, float limit, float* y, int64_t n) {
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    const __m512 g = _mm512_min_ps(set(limit), load(gate + k, lanes));
    const __m512 u = _mm512_add_ps(clamp(load(up + k, lanes), limit), set(1.0f));
    store(y + k, _mm512_mul_ps(silu(g, 1.702f), u), lanes);
  });
}

float max(const float* x, int64_t n) {
  const __m512 lowest = set(-__builtin_inff());
  __m512 largest = lowest;
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    largest = _mm512_max_ps(_mm512_mask_loadu_ps(lowest, lanes, x + k), largest);  // a NaN gives the second operand
  });
  return _mm512_reduce_max_ps(largest);
}

float exp_sum(float* x, float shift, int64_t n) {
  __m512 sum = _mm512_setzero_ps();
  for_lanes(n, [&](int64_t k, __mmask16 lanes) {
    const __m512 power = exp(_mm512_sub_ps(load(x + k, lanes), set(shift)));
    store(x + k, power, lanes);
    sum = _mm512_mask_add_ps(sum, lanes, sum, power);
  });
  return _mm512_reduce_add_ps(sum);
}

void rope_interleaved(float* x, const float* cos, const float* sin, int64_t n_pairs) {
  const __m512i each_twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  for_lanes(2 * n_pairs, [&](int64_t k, __mmask16 lanes) {
    const __mmask16 pairs = first_lanes(__builtin_popcount(lanes) / 2);
    const __m512 c = _mm512_permutexvar_ps(each_twice, load(cos + k / 2, pairs));
    const __m512 s = _mm512_permutexvar_ps(each_twice, load(sin + k / 2, pairs));
    const __m512 v = load(x + k, lanes), swapped = _mm512_permute_ps(v, 0xb1);
    store(x + k, _mm512_fmaddsub_ps(v, c, _mm512_mul_ps(swapped, s)), lanes);  // a c - b s, b c + a s
  });
}

void rope_half(float* x, const float* cos, const float* sin, int64_t n_pairs) {
  float* const second = x + n_pairs;
  for_lanes(n_pairs, [&](int64_t i, __mmask16 lanes) {
    const __m512 a = load(x + i, lanes), b = load(second + i, lanes);
    const __m512 c = load(cos + i, lanes), s = load(sin + i, lanes);
    store(x + i, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)), lanes);
    store(second + i, _mm512_fmadd_ps(a, s, _mm512_mul_ps(b, c)), lanes);
  });
}

}  // namespace fathom::kernels::avx512
