// lib/kernels on activations in BF16: for many rows, where the processor has instructions that multiply tiles of it.
#include "backend/gemm_backend.hpp"

namespace fathom {
namespace {

using kernels::KernelTable;

bool is_floating(StorageFormat format) noexcept { return kernels::is_floating(int(format)); }

class Bf16Backend final : public GemmBackend {
 public:
  explicit Bf16Backend(const KernelTable& kernels) : kernels_(kernels) {}

  const char* name() const noexcept override { return "bf16"; }

  bool accepts(const WeightView& weights) const noexcept override {
    const int format = int(weights.format);
    if (format >= kernels::kFormats || !kernels_.matmul_bf16[format] || weights.rows < 1 || weights.cols < 1) return false;
    if (weights.cols % 32 != 0 || weights.cols % storage_layout(weights.format).block_values != 0) return false;
    return !weights.stored.scales || weights.stored.scale_cols % kernels::kBf16Segment == 0;
  }

  ActivationForm reads(StorageFormat format) const noexcept override {
    return is_floating(format) ? ActivationForm::bf16_terms : ActivationForm::bf16;
  }

  std::unique_ptr<PackedMatrix> pack(const WeightView& weights, std::int64_t, Allocator&) const override {
    return std::make_unique<PackedMatrix>(weights);
  }

  std::size_t scratch_bytes(const PackedMatrix&, std::int64_t) const noexcept override { return kernels::kBf16Scratch; }

  void multiply(const Activations& x, const PackedMatrix& weights, Matrix<float> y, std::int64_t first_column,
                std::int64_t last_column, std::span<std::byte> scratch) const noexcept override {
    const WeightView& w = weights.view();
    kernels_.matmul_bf16[int(w.format)](w.stored, first_column, last_column, x.bf16, x.rows(), scratch.data(), y.data,
                                        y.stride);
  }

 private:
  const KernelTable& kernels_;
};

}  // namespace

std::unique_ptr<GemmBackend> make_bf16_backend(const KernelTable& kernels) {
  if (!kernels.split_bf16) return nullptr;
  return std::make_unique<Bf16Backend>(kernels);
}

// Measured, see README.md.
std::int64_t bf16_min_rows(StorageFormat format) noexcept { return is_floating(format) ? 8 : 12; }

}  // namespace fathom
