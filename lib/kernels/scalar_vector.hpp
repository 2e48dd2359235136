// The scalar table's operations on vectors; see kernel_table.hpp for what each does.
#pragma once

#include <cstdint>

namespace fathom::kernels::scalar {

void quantise_row(const float* x, std::int64_t n, std::int8_t* values, float* scales, std::int16_t* sums);
void f32_to_f16(const float* x, std::int64_t n, std::uint16_t* out);
void f32_to_bf16(const float* x, std::int64_t n, std::uint16_t* out);
void rms_norm(const float* x, const float* weight, float eps, std::int64_t n, float* y);
void add(float* x, const float* y, std::int64_t n);
void axpy(float a, const float* x, float* y, std::int64_t n);
void scale(float a, float* x, std::int64_t n);
void silu_mul(const float* gate, const float* up, float* y, std::int64_t n);
void silu_mul_clamped(const float* gate, const float* up, float limit, float* y, std::int64_t n);
void swiglu_oai(const float* gate, const float* up, float limit, float* y, std::int64_t n);
float max(const float* x, std::int64_t n);
float exp_sum(float* x, float shift, std::int64_t n);
void rope_interleaved(float* x, const float* cos, const float* sin, std::int64_t n_pairs);
void rope_half(float* x, const float* cos, const float* sin, std::int64_t n_pairs);

}  // namespace fathom::kernels::scalar
