// Attention to latents in fixed point: the definition of right for the other tables, which give the same bits.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/float_types.hpp"
#include "kernels/kernel_table.hpp"
#include "kernels/scalar_fixed_point.hpp"

namespace fathom::kernels::scalar {
namespace {

constexpr float kZeroBelow = 0x1p-100f;

float value_at(const WeightRows& w, std::int64_t row, std::int64_t col) {
  std::uint16_t bits;
  std::memcpy(&bits, w.data + row * w.row_bytes + 2 * col, sizeof bits);
  return f16_to_f32(bits);
}

// The scale of columns [first, last) of a row.
float scale_of(const WeightRows& w, std::int64_t row, std::int64_t first, std::int64_t last) {
  float most = 0.0f;
  for (std::int64_t k = first; k < last; ++k) {
    const float value = value_at(w, row, k);
    if (!std::isfinite(value)) return std::numeric_limits<float>::quiet_NaN();
    most = std::max(most, std::fabs(value));
  }
  return most / float(kFixedLimit);
}

std::int32_t integer_at(const WeightRows& w, std::int64_t row, std::int64_t col, float scale) {
  return scale > 0.0f ? std::int32_t(std::nearbyint(value_at(w, row, col) * (1.0f / scale))) : 0;
}

}  // namespace

float fix_row(const float* x, const float* factors, std::int64_t n, std::int32_t limit, std::int16_t* out) {
  const auto value = [&](std::int64_t k) { return factors ? x[k] * factors[k] : x[k]; };
  float most = 0.0f;
  bool finite = true;
  for (std::int64_t k = 0; k < n; ++k) {
    finite &= std::isfinite(value(k));
    most = std::max(most, std::fabs(value(k)));
  }
  std::fill_n(out, n, std::int16_t{0});
  if (!finite) return std::numeric_limits<float>::quiet_NaN();
  if (most < kZeroBelow) return 0.0f;
  const float inverse = float(limit) / most;
  for (std::int64_t k = 0; k < n; ++k) out[k] = std::int16_t(std::nearbyint(value(k) * inverse));
  return most / float(limit);
}

void fixed_products(const WeightRows& w, std::int64_t rows, std::int64_t shared, const std::int16_t* queries,
                    const float* query_scales, std::int64_t m, float* scales, float* y) {
  std::fill_n(scales, kFixedRows, 0.0f);
  std::fill_n(y, m * kFixedRows, 0.0f);
  for (std::int64_t row = 0; row < rows; ++row) {
    scales[row] = scale_of(w, row, 0, shared);
    const float other_scale = scale_of(w, row, shared, w.cols);
    std::int32_t key[2 * kFixedColumns];
    for (std::int64_t k = 0; k < w.cols; ++k) key[k] = integer_at(w, row, k, k < shared ? scales[row] : other_scale);
    for (std::int64_t i = 0; i < m; ++i) {
      const std::int16_t* query = queries + i * w.cols;
      const auto dot = [&](std::int64_t first, std::int64_t last) {
        std::int32_t sum = 0;
        for (std::int64_t k = first; k < last; ++k) sum += query[k] * key[k];
        return float(sum);
      };
      y[i * kFixedRows + row] = std::fma(dot(shared, w.cols), query_scales[2 * i + 1] * other_scale,
                                         dot(0, shared) * (query_scales[2 * i] * scales[row]));
    }
  }
}

void fixed_sums(const WeightRows& w, std::int64_t rows, std::int64_t shared, const float* scales, const std::int16_t* weights,
                const float* weight_scales, std::int64_t m, const std::uint8_t*, float* out, std::int64_t out_stride) {
  for (std::int64_t k = 0; k < shared; ++k) {
    std::int32_t value[kFixedRows];
    for (std::int64_t row = 0; row < rows; ++row) value[row] = integer_at(w, row, k, scales[row]);
    for (std::int64_t i = 0; i < m; ++i) {
      std::int32_t sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) sum += weights[i * kFixedRows + row] * value[row];
      out[i * out_stride + k] = std::fma(weight_scales[i], float(sum), out[i * out_stride + k]);
    }
  }
}

}  // namespace fathom::kernels::scalar
