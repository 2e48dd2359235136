// Activations in the forms that products read besides F32.
#pragma once

#include <cstdint>

#include "backend/gemm_backend.hpp"

namespace fathom::model {

// rows x cols; how many columns is up to the stage that fills it.
struct RoundedBuffer {
  std::int8_t* values = nullptr;  // in 8 bits; null where no product reads that
  float* scales = nullptr;
  std::int16_t* sums = nullptr;
  std::uint16_t* bf16 = nullptr;  // in BF16; likewise
  std::int64_t term_stride = 0;

  // Rows of BF16 lie a line of the cache further apart than they are long: powers of two would meet in few sets of the cache.
  static constexpr std::int64_t kApart = 32;

  Activations rows(const Matrix<const float>& f32) const noexcept {
    return {f32, {values, scales, sums, f32.cols}, {bf16, f32.cols + kApart, term_stride}};
  }
  // Columns [first, last) of row `row`, both multiples of 32 as cols is, in these forms.
  void store(const kernels::KernelTable& kernels, ActivationForms forms, std::int64_t row, std::int64_t cols,
             std::int64_t first, std::int64_t last, const float* x) const noexcept {
    if (forms.has(ActivationForm::quantised)) {
      const std::int64_t at = row * cols + first;
      kernels.quantise_row(x + first, last - first, values + at, scales + at / 32, sums + at / 16);
    }
    const std::int64_t at = row * (cols + kApart) + first;
    if (forms.has(ActivationForm::bf16_terms)) {
      kernels.split_bf16(x + first, last - first, bf16 + at, term_stride);
    } else if (forms.has(ActivationForm::bf16)) {
      kernels.f32_to_bf16(x + first, last - first, bf16 + at);
    }
  }
};

}  // namespace fathom::model
