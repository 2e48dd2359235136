// The reference: rows of weights decoded to F32, then Eigen's plain product. Slow, and hard to get wrong.
#define EIGEN_DONT_PARALLELIZE
#define EIGEN_NO_DEBUG  // its assertions abort
#include <Eigen/Core>

#include <algorithm>

#include "backend/gemm_backend.hpp"

namespace fathom {
namespace {

using kernels::KernelTable;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMap = Eigen::Map<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;
using MutableMap = Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;

constexpr std::int64_t kTileRows = 8;  // rows of weights decoded at a time

class EigenBackend final : public GemmBackend {
 public:
  explicit EigenBackend(const KernelTable& kernels) : kernels_(kernels) {}

  const char* name() const noexcept override { return "eigen"; }

  bool accepts(const WeightView& weights) const noexcept override {
    return !weights.stored.interleaved && int(weights.format) < kernels::kFormats && kernels_.decode_row[int(weights.format)] &&
           weights.rows >= 1 && weights.cols >= 1 && weights.cols % storage_layout(weights.format).block_values == 0;
  }

  ActivationForm reads(StorageFormat) const noexcept override { return ActivationForm::f32; }

  std::unique_ptr<PackedMatrix> pack(const WeightView& weights, std::int64_t, Allocator&) const override {
    return std::make_unique<PackedMatrix>(weights);
  }

  std::size_t scratch_bytes(const PackedMatrix& weights, std::int64_t) const noexcept override {
    return std::size_t(kTileRows * weights.view().cols) * sizeof(float);
  }

  void multiply(const Activations& x, const PackedMatrix& weights, Matrix<float> y, std::int64_t first_column,
                std::int64_t last_column, std::span<std::byte> scratch) const noexcept override {
    const WeightView& w = weights.view();
    const auto decode_row = kernels_.decode_row[int(w.format)];
    float* tile = reinterpret_cast<float*>(scratch.data());
    const ConstMap left(x.f32.data, x.rows(), w.cols, Eigen::OuterStride<>(x.f32.stride));
    for (std::int64_t first = first_column; first < last_column; first += kTileRows) {
      const std::int64_t count = std::min(kTileRows, last_column - first);
      for (std::int64_t r = 0; r < count; ++r) decode_row(w.stored, first + r, 0, w.cols, tile + r * w.cols);
      const ConstMap right(tile, count, w.cols, Eigen::OuterStride<>(w.cols));
      MutableMap out(y.data + first, x.rows(), count, Eigen::OuterStride<>(y.stride));
      // One dot product an element: the blocked product would allocate, and sum in an order that depends on the shape.
      out.noalias() = left.lazyProduct(right.transpose());
    }
  }

 private:
  const KernelTable& kernels_;
};

}  // namespace

std::unique_ptr<GemmBackend> make_eigen_backend(const KernelTable& kernels) { return std::make_unique<EigenBackend>(kernels); }

}  // namespace fathom
