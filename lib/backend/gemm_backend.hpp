// Who multiplies: y = x W^T for a range of W's rows (columns of y), on one thread. Parallelism, deadlines and the host's
// task system stay above this interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "backend/stream_choice.hpp"
#include "backend/weight_view.hpp"
#include "base/allocator.hpp"
#include "base/view.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom {

// The forms in which a product reads activations: F32; rounded to 8 bits; rounded to BF16; as the sum of three numbers in BF16,
// which is F32.
enum class ActivationForm { f32, quantised, bf16, bf16_terms };

// A set of forms.
class ActivationForms {
 public:
  void add(ActivationForm form) noexcept { bits_ |= 1u << int(form); }
  void add(ActivationForms other) noexcept { bits_ |= other.bits_; }
  bool has(ActivationForm form) const noexcept { return bits_ >> int(form) & 1; }
  // How many terms of BF16 their readers take at most.
  int bf16_terms() const noexcept {
    return has(ActivationForm::bf16_terms) ? kernels::kBf16Terms : has(ActivationForm::bf16) ? 1 : 0;
  }

 private:
  unsigned bits_ = 0;
};

// The left operand, prepared once and read by every matrix that takes it.
struct Activations {
  Matrix<const float> f32;           // [rows, cols]; its data may be null where no reader takes F32
  kernels::QuantisedRows quantised;  // the same rows in 8 bits; values == nullptr when no reader asked for it
  kernels::Bf16Rows bf16;            // and in BF16; likewise

  std::int64_t rows() const noexcept { return f32.rows; }
  // Rows [first, first + count).
  Activations slice(std::int64_t first, std::int64_t count) const noexcept {
    Activations part{f32.slice(first, count), quantised, bf16};
    if (quantised.values) {
      part.quantised.values += first * quantised.cols;
      part.quantised.scales += first * (quantised.cols / 32);
      part.quantised.sums += first * (quantised.cols / 16);
    }
    if (bf16.values) part.bf16.values += first * bf16.stride;
    return part;
  }
};

// A matrix as one backend wants it. Made at load, immutable, shared by threads. Refers to the stored bytes where they serve.
class PackedMatrix {
 public:
  explicit PackedMatrix(const WeightView& view) : view_(view) {}
  virtual ~PackedMatrix() = default;
  const WeightView& view() const noexcept { return view_; }

 private:
  WeightView view_;
};

class GemmBackend {
 public:
  virtual ~GemmBackend() = default;
  virtual const char* name() const noexcept = 0;

  // Can it multiply weights of this format and shape?
  virtual bool accepts(const WeightView& weights) const noexcept = 0;
  // What of Activations it reads for this format. Results have the form's accuracy.
  virtual ActivationForm reads(StorageFormat format) const noexcept = 0;

  // How rows of this matrix become what multiply() reads fastest (WeightRows::interleaved, with the same results), or null when
  // that is as they are stored. The number of rows is a multiple of 16 then, and multiply() takes columns in sixteens.
  virtual kernels::InterleaveRows interleaving(const WeightView&) const noexcept { return nullptr; }

  // At load: may throw and allocate. `max_rows` bounds the activations' rows of later calls.
  virtual std::unique_ptr<PackedMatrix> pack(const WeightView& weights, std::int64_t max_rows, Allocator& allocator) const = 0;

  // Bytes of scratch one thread needs for multiply with this matrix.
  virtual std::size_t scratch_bytes(const PackedMatrix& weights, std::int64_t max_rows) const noexcept = 0;

  // y[i][n] = sum_k x[i][k] * w[n][k] for n in [first_column, last_column), i in [0, x.rows()). y's columns are W's rows, so
  // y.data points at column 0. No allocation. Scratch is 64-byte aligned and not shared between threads.
  virtual void multiply(const Activations& x, const PackedMatrix& weights, Matrix<float> y, std::int64_t first_column,
                        std::int64_t last_column, std::span<std::byte> scratch) const noexcept = 0;
};

// The back ends of this build. Each lives as long as the process.
// reference: Eigen on rows decoded to F32. Every format; the slowest and plainest.
std::unique_ptr<GemmBackend> make_eigen_backend(const kernels::KernelTable& kernels);
// native: lib/kernels, on the stored bytes; no scratch. Every format; the one for few rows, and for many where it measures
// faster.
// `streams`: the prefetch that its matrices use, read at each product; it outlives them. Null: the built-in prefetch.
std::unique_ptr<GemmBackend> make_native_backend(const kernels::KernelTable& kernels, const StreamChoice* streams = nullptr);
// onednn: tiles of weights decoded to F32 and packed in scratch, multiplied by oneDNN's microkernels. Floating formats, many
// rows. Null when the build has no oneDNN, or when the system forbids generated code.
std::unique_ptr<GemmBackend> make_onednn_backend(const kernels::KernelTable& kernels);

// bf16: lib/kernels on activations in BF16, for many rows. Block formats, BF16, FP8, MXFP4. Null when the table has no such
// products.
std::unique_ptr<GemmBackend> make_bf16_backend(const kernels::KernelTable& kernels);

// From how many rows on the BF16 back end is worth its decoding, for a format; measured, see README.md.
std::int64_t bf16_min_rows(StorageFormat format) noexcept;

// From how many rows on the oneDNN back end is worth its packing, for a format; measured, see README.md.
std::int64_t onednn_min_rows(StorageFormat format) noexcept;

}  // namespace fathom
