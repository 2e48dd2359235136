// Operations on vectors in scalar code: the definition of right for the other tables.
#include "kernels/scalar_vector.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float_types.hpp"

namespace fathom::kernels::scalar {
namespace {

constexpr std::int64_t kBlock = 32;

// Every table computes exactly this, so that quantised activations have the same bits on every processor: one division for
// the scale, one for its inverse, one product a value. A scale below the normal numbers has no usable inverse and counts as 0.
float quantise_block(const float* x, std::int8_t* values) {
  float largest = 0.0f;
  for (std::int64_t k = 0; k < kBlock; ++k) {
    const float magnitude = std::fabs(x[k]);
    if (magnitude > largest) largest = magnitude;
  }
  const float quotient = largest / 127.0f;
  const float scale = quotient < std::numeric_limits<float>::min() ? 0.0f : quotient;
  const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  for (std::int64_t k = 0; k < kBlock; ++k) {
    const float code = std::nearbyint(x[k] * inverse);
    values[k] = std::isnan(code) ? std::int8_t(0) : std::int8_t(code);  // infinity * 0; the infinite scale still tells
  }
  return scale;
}

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

}  // namespace

void quantise_row(const float* x, std::int64_t n, std::int8_t* values, float* scales, std::int16_t* sums) {
  for (std::int64_t k = 0; k < n; k += kBlock) scales[k / kBlock] = quantise_block(x + k, values + k);
  for (std::int64_t k = 0; k < n; k += 16) {
    int sum = 0;
    for (std::int64_t j = k; j < k + 16; ++j) sum += values[j];
    sums[k / 16] = std::int16_t(sum);
  }
}

void f32_to_f16(const float* x, std::int64_t n, std::uint16_t* out) {
  for (std::int64_t k = 0; k < n; ++k) out[k] = fathom::f32_to_f16(x[k]);
}

void f32_to_bf16(const float* x, std::int64_t n, std::uint16_t* out) {
  for (std::int64_t k = 0; k < n; ++k) out[k] = fathom::f32_to_bf16(x[k]);
}

void rms_norm(const float* x, const float* weight, float eps, std::int64_t n, float* y) {
  double squares = 0.0;
  for (std::int64_t k = 0; k < n; ++k) squares += double(x[k]) * double(x[k]);
  const float factor = float(1.0 / std::sqrt(squares / double(n) + double(eps)));
  for (std::int64_t k = 0; k < n; ++k) y[k] = x[k] * factor * (weight ? weight[k] : 1.0f);
}

void add(float* x, const float* y, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) x[k] += y[k];
}

void axpy(float a, const float* x, float* y, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) y[k] += a * x[k];
}

void scale(float a, float* x, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) x[k] *= a;
}

void silu_mul(const float* gate, const float* up, float* y, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) y[k] = gate[k] * sigmoid(gate[k]) * up[k];
}

void silu_mul_clamped(const float* gate, const float* up, float limit, float* y, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) {
    const float g = std::min(gate[k], limit);
    y[k] = g * sigmoid(g) * std::clamp(up[k], -limit, limit);
  }
}

void swiglu_oai(const float* gate, const float* up, float limit, float* y, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) {
    const float g = std::min(gate[k], limit);
    y[k] = g * sigmoid(1.702f * g) * (std::clamp(up[k], -limit, limit) + 1.0f);
  }
}

float max(const float* x, std::int64_t n) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::int64_t k = 0; k < n; ++k) {
    if (x[k] > largest) largest = x[k];
  }
  return largest;
}

float exp_sum(float* x, float shift, std::int64_t n) {
  float sum = 0.0f;
  for (std::int64_t k = 0; k < n; ++k) {
    const float argument = x[k] - shift;
    x[k] = argument < -87.0f ? 0.0f : std::exp(argument);
    sum += x[k];
  }
  return sum;
}

void rope_interleaved(float* x, const float* cos, const float* sin, std::int64_t n_pairs) {
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cos[i] - b * sin[i];
    x[2 * i + 1] = a * sin[i] + b * cos[i];
  }
}

void rope_half(float* x, const float* cos, const float* sin, std::int64_t n_pairs) {
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    const float a = x[i], b = x[i + n_pairs];
    x[i] = a * cos[i] - b * sin[i];
    x[i + n_pairs] = a * sin[i] + b * cos[i];
  }
}

}  // namespace fathom::kernels::scalar
