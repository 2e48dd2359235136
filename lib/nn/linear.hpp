// A linear layer: a matrix with the back ends that multiply by it, and its bias.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "backend/gemm_backend.hpp"

namespace fathom::nn {

// Immutable once made; any thread.
class Linear {
 public:
  Linear() = default;
  // `few` takes every call; `many` (may be null) those of at least `many_min_rows` rows. bias: [rows] or null, kept by the
  // owner of the weights. Throws when `few` cannot multiply the weights.
  Linear(const WeightView& weights, const float* bias, const GemmBackend& few, const GemmBackend* many,
         std::int64_t many_min_rows, std::int64_t max_rows, Allocator& allocator);

  explicit operator bool() const noexcept { return few_matrix_ != nullptr; }
  const WeightView& weights() const noexcept { return few_matrix_->view(); }
  std::int64_t out() const noexcept { return weights().rows; }
  std::int64_t in() const noexcept { return weights().cols; }
  const float* bias() const noexcept { return bias_; }
  // What multiply() reads of so many rows of activations, and of any number up to that.
  ActivationForm form(std::int64_t rows) const noexcept { return many_ && rows >= many_min_rows_ ? many_form_ : few_form_; }
  ActivationForms forms(std::int64_t max_rows) const noexcept;
  // From so many rows on multiply() takes the back end for many; 0 when there is none.
  std::int64_t many_min_rows() const noexcept { return many_ ? many_min_rows_ : 0; }
  // Do products with both read the same forms, whatever the number of rows?
  bool reads_like(const Linear& other) const noexcept {
    return few_form_ == other.few_form_ && many_form_ == other.many_form_ && many_min_rows() == other.many_min_rows();
  }
  std::size_t scratch_bytes(std::int64_t max_rows) const noexcept;

  // y[i][n] = sum_k x[i][k] w[n][k] + bias[n], n in [first, last); y.data points at column 0.
  void multiply(const Activations& x, Matrix<float> y, std::int64_t first, std::int64_t last,
                std::span<std::byte> scratch) const noexcept;

 private:
  const GemmBackend* few_ = nullptr;
  const GemmBackend* many_ = nullptr;
  std::unique_ptr<PackedMatrix> few_matrix_, many_matrix_;
  const float* bias_ = nullptr;
  std::int64_t many_min_rows_ = 0;
  ActivationForm few_form_ = ActivationForm::f32, many_form_ = ActivationForm::f32;
};

}  // namespace fathom::nn
