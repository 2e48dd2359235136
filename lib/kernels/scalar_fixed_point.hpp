// The scalar table's fixed point; see kernel_table.hpp.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels::scalar {

float fix_row(const float* x, const float* factors, std::int64_t n, std::int32_t limit, std::int16_t* out);
void fixed_products(const WeightRows& w, std::int64_t rows, std::int64_t shared, const std::int16_t* queries,
                    const float* query_scales, std::int64_t m, float* scales, float* y);
void fixed_sums(const WeightRows& w, std::int64_t rows, std::int64_t shared, const float* scales, const std::int16_t* weights,
                const float* weight_scales, std::int64_t m, const std::uint8_t* next, float* out, std::int64_t out_stride);

}  // namespace fathom::kernels::scalar
