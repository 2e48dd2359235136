// lib/kernels on the stored bytes. What is added here is the order of the walk: every byte of weights comes from memory once
// a call, however many rows of activations there are.
#include <algorithm>

#include "backend/gemm_backend.hpp"

namespace fathom {
namespace {

using kernels::KernelTable;

// A block of weights stays in the L2 cache while all activations pass by it, a panel of few rows at a time. Larger blocks mean
// fewer passes over activations that come from further away: 128 -> 512 KiB took BF16 at 512 rows from 66 to 86 GFLOP/s.
constexpr std::int64_t kWeightBlockBytes = 512 << 10;
constexpr std::int64_t kActivationPanelBytes = 64 << 10;
// Products with 8-bit activations decode weights once a panel, so theirs are longer: 64 -> 256 KiB gave 3 to 10 %.
constexpr std::int64_t kQuantisedPanelBytes = 256 << 10;
constexpr std::int64_t kPanelStep = 8;   // kernels take several rows at once; panels leave them none over
constexpr std::int64_t kBlockStep = 16;  // nor do blocks leave weight rows over

int kernel_index(StorageFormat format) noexcept { return int(format); }

class NativeBackend final : public GemmBackend {
 public:
  NativeBackend(const KernelTable& kernels, const StreamChoice* streams) : kernels_(kernels), streams_(streams) {}

  const char* name() const noexcept override { return "native"; }

  bool accepts(const WeightView& weights) const noexcept override {
    const int format = kernel_index(weights.format);
    if (format >= kernels::kFormats || weights.rows < 1 || weights.cols < 1) return false;
    if (weights.cols % storage_layout(weights.format).block_values != 0) return false;
    if (kernels::is_floating(format)) return kernels_.matmul_f32[format];
    return kernels_.matmul_q8[format] && weights.cols % 32 == 0;
  }

  ActivationForm reads(StorageFormat format) const noexcept override {
    return reads_quantised(format) ? ActivationForm::quantised : ActivationForm::f32;
  }

  kernels::InterleaveRows interleaving(const WeightView& weights) const noexcept override {
    const bool whole = weights.rows % kernels::kInterleavedRows == 0;
    return whole && reads_quantised(weights.format) ? kernels_.interleave_rows[kernel_index(weights.format)] : nullptr;
  }

  std::unique_ptr<PackedMatrix> pack(const WeightView& weights, std::int64_t, Allocator&) const override {
    WeightView view = weights;
    if (streams_) view.stored.prefetch = streams_->of(weights.format);
    return std::make_unique<PackedMatrix>(view);
  }

  std::size_t scratch_bytes(const PackedMatrix&, std::int64_t) const noexcept override { return 0; }

  void multiply(const Activations& x, const PackedMatrix& weights, Matrix<float> y, std::int64_t first_column,
                std::int64_t last_column, std::span<std::byte>) const noexcept override {
    const WeightView& w = weights.view();
    const int format = kernel_index(w.format);
    if (reads_quantised(w.format)) {
      const auto product = kernels_.matmul_q8[format];
      walk(w, kQuantisedPanelBytes / w.cols, x.rows(), first_column, last_column,
           [&](auto first, auto last, auto row, auto count) {
             product(w.stored, first, last, x.slice(row, count).quantised, count, y.row(row), y.stride);
           });
    } else {
      const auto product = kernels_.matmul_f32[format];
      walk(w, kActivationPanelBytes / (4 * w.cols), x.rows(), first_column, last_column,
           [&](auto first, auto last, auto row, auto count) {
             product(w.stored, first, last, x.f32.row(row), x.f32.stride, count, y.row(row), y.stride);
           });
    }
  }

 private:
  bool reads_quantised(StorageFormat format) const noexcept {
    const int index = kernel_index(format);
    return index < kernels::kFormats && !kernels::is_floating(index) && kernels_.matmul_q8[index];
  }

  // Calls product(first_column, last_column, first_row, rows) over blocks of columns, and within one over panels of about
  // panel_rows rows.
  template <typename Product>
  static void walk(const WeightView& w, std::int64_t panel_rows, std::int64_t rows, std::int64_t first_column,
                   std::int64_t last_column, Product product) noexcept {
    const std::int64_t panel = std::max(kPanelStep, panel_rows / kPanelStep * kPanelStep);
    if (rows <= panel) return product(first_column, last_column, std::int64_t{0}, rows);
    const std::int64_t block_rows = kWeightBlockBytes / std::max<std::int64_t>(1, w.stored.row_bytes);
    const std::int64_t block = std::max(kBlockStep, block_rows / kBlockStep * kBlockStep);
    for (std::int64_t first = first_column; first < last_column; first += block) {
      const std::int64_t last = std::min(first + block, last_column);
      for (std::int64_t row = 0; row < rows; row += panel) product(first, last, row, std::min(panel, rows - row));
    }
  }

  const KernelTable& kernels_;
  const StreamChoice* streams_;
};

}  // namespace

std::unique_ptr<GemmBackend> make_native_backend(const KernelTable& kernels, const StreamChoice* streams) {
  return std::make_unique<NativeBackend>(kernels, streams);
}

}  // namespace fathom
