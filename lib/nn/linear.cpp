#include "nn/linear.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace fathom::nn {

Linear::Linear(const WeightView& weights, const float* bias, const GemmBackend& few, const GemmBackend* many,
               std::int64_t many_min_rows, std::int64_t max_rows, Allocator& allocator)
    : few_(&few), bias_(bias), many_min_rows_(many_min_rows), few_form_(few.reads(weights.format)) {
  if (!few.accepts(weights)) {
    fail(Status::unsupported, "a [{}, {}] matrix in {} is nothing the {} back end multiplies by", weights.rows, weights.cols,
         storage_layout(weights.format).name, few.name());
  }
  few_matrix_ = few.pack(weights, max_rows, allocator);
  if (many && many->accepts(weights) && max_rows >= many_min_rows) {
    many_ = many;
    many_form_ = many->reads(weights.format);
    many_matrix_ = many->pack(weights, max_rows, allocator);
  }
}

ActivationForms Linear::forms(std::int64_t max_rows) const noexcept {
  ActivationForms forms;
  forms.add(form(1));
  forms.add(form(max_rows));
  return forms;
}

std::size_t Linear::scratch_bytes(std::int64_t max_rows) const noexcept {
  std::size_t bytes = few_->scratch_bytes(*few_matrix_, max_rows);
  if (many_) bytes = std::max(bytes, many_->scratch_bytes(*many_matrix_, max_rows));
  return bytes;
}

void Linear::multiply(const Activations& x, Matrix<float> y, std::int64_t first, std::int64_t last,
                      std::span<std::byte> scratch) const noexcept {
  if (many_ && x.rows() >= many_min_rows_) {
    many_->multiply(x, *many_matrix_, y, first, last, scratch);
  } else {
    few_->multiply(x, *few_matrix_, y, first, last, scratch);
  }
  if (!bias_) return;
  for (std::int64_t i = 0; i < x.rows(); ++i) {
    float* row = y.row(i);
    for (std::int64_t n = first; n < last; ++n) row[n] += bias_[n];
  }
}

}  // namespace fathom::nn
