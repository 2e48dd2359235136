// oneDNN's microkernels for many rows of activations: 64 rows of weights are decoded to F32 and transposed into a panel that
// stays in the L2 cache, and every row of activations is multiplied by it. The only file that includes oneDNN.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "backend/gemm_backend.hpp"
#include "platform/cpu_features.hpp"

#ifdef FATHOM_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl_ukernel.h>
#endif

namespace fathom {

#ifdef FATHOM_HAVE_ONEDNN
namespace {

using kernels::KernelTable;

constexpr std::int64_t kTile = 64;         // rows of weights in a panel: the microkernels' widest
constexpr std::int64_t kDepth = 1024;      // columns of weights in a panel: 256 KiB, half of a small L2 cache
constexpr std::int64_t kStripDepth = 128;  // columns decoded before they are transposed: 32 KiB, an L1 cache

// Row counts a call is cut into, largest first. 24 registers of sums, 6 rows by 64 columns, are what AVX-512 kernels hold, so
// multiples of 6 leave none idle.
constexpr std::array<std::int64_t, 7> kPieces{48, 24, 12, 6, 3, 2, 1};

// The microkernels of one depth, one for each piece. Null where there is none: then plain loops do the work.
using Pieces = std::array<dnnl_brgemm_t, kPieces.size()>;

bool succeeded(dnnl_status_t status) noexcept { return status == dnnl_success; }

// C[rows, kTile] += A[rows, depth] * panel[depth, kTile]. Null when oneDNN cannot.
dnnl_brgemm_t make_kernel(std::int64_t rows, std::int64_t depth, std::int64_t x_stride) {
  dnnl_brgemm_t kernel = nullptr;
  if (!succeeded(dnnl_brgemm_create(&kernel, rows, kTile, depth, 1, x_stride, kTile, kTile, dnnl_f32, dnnl_f32, dnnl_f32))) {
    return nullptr;
  }
  std::size_t scratch = 0;
  const bool ready = succeeded(dnnl_brgemm_set_add_C(kernel, 1)) && succeeded(dnnl_brgemm_finalize(kernel)) &&
                     succeeded(dnnl_brgemm_get_scratchpad_size(kernel, &scratch)) && scratch == 0;
  if (!ready) {
    dnnl_brgemm_destroy(kernel);
    return nullptr;
  }
  // Not destroyed on failure: 3.7 would free its code twice. What leaks is bounded, since nothing is generated after a failure.
  return succeeded(dnnl_brgemm_generate(kernel)) ? kernel : nullptr;
}

// strip[kTile, depth], kStripDepth apart -> panel[depth, kTile]. Null when oneDNN cannot.
dnnl_transform_t make_transpose(std::int64_t depth) {
  dnnl_transform_t transpose = nullptr;
  if (!succeeded(
          dnnl_transform_create(&transpose, depth, kTile, dnnl_pack_type_trans, kStripDepth, kTile, dnnl_f32, dnnl_f32))) {
    return nullptr;
  }
  if (succeeded(dnnl_transform_generate(transpose))) return transpose;
  dnnl_transform_destroy(transpose);
  return nullptr;
}

// Generated code, shared by all matrices of the same width. Made at load under a lock, then only read.
class KernelCache {
 public:
  ~KernelCache() {
    for (const auto& [key, kernel] : kernels_) dnnl_brgemm_destroy(kernel);
    for (const auto& [depth, transpose] : transposes_) dnnl_transform_destroy(transpose);
  }

  // False for good once the system has refused generated code.
  bool usable() const noexcept { return usable_.load(std::memory_order_relaxed); }

  Pieces pieces(std::int64_t depth, std::int64_t x_stride, std::int64_t max_rows) {
    const std::lock_guard lock(mutex_);
    Pieces pieces{};
    for (std::size_t p = 0; p < kPieces.size(); ++p) {
      if (depth > 0 && kPieces[p] <= max_rows) {
        pieces[p] =
            find_or_make(kernels_, Key{kPieces[p], depth, x_stride}, [&] { return make_kernel(kPieces[p], depth, x_stride); });
      }
    }
    return pieces;
  }

  dnnl_transform_t transpose(std::int64_t depth) {
    const std::lock_guard lock(mutex_);
    return depth > 0 ? find_or_make(transposes_, depth, [&] { return make_transpose(depth); }) : nullptr;
  }

 private:
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rows, depth, x_stride

  template <typename Map, typename Make>
  typename Map::mapped_type find_or_make(Map& map, const typename Map::key_type& key, Make make) {
    if (const auto found = map.find(key); found != map.end()) return found->second;
    if (!usable()) return nullptr;
    const auto made = make();
    if (made) {
      map.emplace(key, made);
    } else {
      usable_.store(false, std::memory_order_relaxed);
    }
    return made;
  }

  std::mutex mutex_;
  std::atomic<bool> usable_{true};
  std::map<Key, dnnl_brgemm_t> kernels_;
  std::map<std::int64_t, dnnl_transform_t> transposes_;
};

class OnednnMatrix final : public PackedMatrix {
 public:
  using PackedMatrix::PackedMatrix;

  Pieces full{};  // depth kDepth
  Pieces tail{};  // the last cols % kDepth
  dnnl_transform_t full_strip = nullptr;
  dnnl_transform_t tail_strip = nullptr;  // the last cols % kStripDepth
};

// Scratch of one thread.
struct Workspace {
  float* strip;  // [kTile, kStripDepth], weights as decoded
  float* panel;  // [kDepth, kTile], the same transposed
  float* sums;   // [rows, kTile]

  explicit Workspace(std::span<std::byte> scratch)
      : strip(reinterpret_cast<float*>(scratch.data())), panel(strip + kTile * kStripDepth), sums(panel + kDepth * kTile) {}

  static std::size_t bytes(std::int64_t rows) noexcept {
    return std::size_t(kTile * kStripDepth + kDepth * kTile + rows * kTile) * sizeof(float);
  }
};

class OnednnBackend final : public GemmBackend {
 public:
  explicit OnednnBackend(const KernelTable& kernels) : kernels_(kernels) {}

  // Does generated code work here?
  bool probe() { return cache_.pieces(kDepth, kDepth, 1).back() && cache_.transpose(kStripDepth); }

  const char* name() const noexcept override { return "onednn"; }

  // Floating formats; the others keep more of their size, and their accuracy, in integer kernels.
  bool accepts(const WeightView& weights) const noexcept override {
    const int format = int(weights.format);
    return cache_.usable() && format < kernels::kFormats && kernels::is_floating(format) && kernels_.decode_row[format] &&
           weights.rows >= 1 && weights.cols >= 1 && weights.cols % storage_layout(weights.format).block_values == 0;
  }

  ActivationForm reads(StorageFormat) const noexcept override { return ActivationForm::f32; }

  std::unique_ptr<PackedMatrix> pack(const WeightView& weights, std::int64_t max_rows, Allocator&) const override {
    auto matrix = std::make_unique<OnednnMatrix>(weights);
    const std::int64_t cols = weights.cols;
    matrix->full = cache_.pieces(cols >= kDepth ? kDepth : 0, cols, max_rows);
    matrix->tail = cache_.pieces(cols % kDepth, cols, max_rows);
    matrix->full_strip = cache_.transpose(cols >= kStripDepth ? kStripDepth : 0);
    matrix->tail_strip = cache_.transpose(cols % kStripDepth);
    return matrix;
  }

  std::size_t scratch_bytes(const PackedMatrix&, std::int64_t max_rows) const noexcept override {
    return Workspace::bytes(max_rows);
  }

  void multiply(const Activations& x, const PackedMatrix& weights, Matrix<float> y, std::int64_t first_column,
                std::int64_t last_column, std::span<std::byte> scratch) const noexcept override {
    const auto& matrix = static_cast<const OnednnMatrix&>(weights);
    const std::int64_t cols = matrix.view().cols, rows = x.rows();
    const Workspace work(scratch);
    for (std::int64_t first = first_column; first < last_column; first += kTile) {
      const std::int64_t count = std::min(kTile, last_column - first);
      std::fill_n(work.sums, rows * kTile, 0.0f);
      for (std::int64_t k = 0; k < cols; k += kDepth) {
        const std::int64_t depth = std::min(kDepth, cols - k);
        fill_panel(matrix, first, count, k, depth, work);
        add_products(matrix, x.f32, k, depth, work);
      }
      for (std::int64_t i = 0; i < rows; ++i) std::copy_n(work.sums + i * kTile, count, y.row(i) + first);
    }
  }

 private:
  // panel = the transpose of w[first .. first + count)[first_col .. first_col + depth), zeros behind `count`.
  void fill_panel(const OnednnMatrix& matrix, std::int64_t first, std::int64_t count, std::int64_t first_col,
                  std::int64_t depth, const Workspace& work) const noexcept {
    const WeightView& w = matrix.view();
    const auto decode_row = kernels_.decode_row[int(w.format)];
    std::fill_n(work.strip + count * kStripDepth, (kTile - count) * kStripDepth, 0.0f);
    for (std::int64_t k = 0; k < depth; k += kStripDepth) {
      const std::int64_t strip_depth = std::min(kStripDepth, depth - k);
      for (std::int64_t r = 0; r < count; ++r) {
        decode_row(w.stored, first + r, first_col + k, strip_depth, work.strip + r * kStripDepth);
      }
      transpose(strip_depth == kStripDepth ? matrix.full_strip : matrix.tail_strip, strip_depth, work.strip,
                work.panel + k * kTile);
    }
  }

  static void transpose(dnnl_transform_t transform, std::int64_t depth, const float* strip, float* panel) noexcept {
    if (transform && succeeded(dnnl_transform_execute(transform, strip, panel))) return;
    for (std::int64_t k = 0; k < depth; ++k) {
      for (std::int64_t n = 0; n < kTile; ++n) panel[k * kTile + n] = strip[n * kStripDepth + k];
    }
  }

  // sums[i] += x[i][first_col .. first_col + depth) * panel
  static void add_products(const OnednnMatrix& matrix, const Matrix<const float>& x, std::int64_t first_col, std::int64_t depth,
                           const Workspace& work) noexcept {
    const Pieces& kernels = depth == kDepth ? matrix.full : matrix.tail;
    const bool strided = x.stride != matrix.view().cols;  // generated code holds the distance of rows as a constant
    std::int64_t row = 0;
    for (std::size_t p = 0; p < kPieces.size(); ++p) {
      const std::int64_t piece = kPieces[p];
      for (; row + piece <= x.rows; row += piece) {
        const float* left = x.row(row) + first_col;
        float* sums = work.sums + row * kTile;
        if (strided || !execute(kernels[p], left, work.panel, sums)) {
          add_products_plainly(left, x.stride, piece, depth, work.panel, sums);
        }
      }
    }
  }

  // False when nothing was computed: no kernel, or no memory for the list of operands that oneDNN allocates in each call.
  static bool execute(dnnl_brgemm_t kernel, const float* left, const float* panel, float* sums) noexcept {
    if (!kernel) return false;
    constexpr dnnl_dim_t kOffsets[2] = {0, 0};
    try {
      return succeeded(dnnl_brgemm_execute(kernel, left, panel, kOffsets, sums, nullptr));
    } catch (...) {
      return false;
    }
  }

  static void add_products_plainly(const float* left, std::int64_t stride, std::int64_t rows, std::int64_t depth,
                                   const float* panel, float* sums) noexcept {
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t k = 0; k < depth; ++k) {
        const float factor = left[i * stride + k];
        for (std::int64_t n = 0; n < kTile; ++n) sums[i * kTile + n] += factor * panel[k * kTile + n];
      }
    }
  }

  const KernelTable& kernels_;
  mutable KernelCache cache_;
};

// oneDNN has no limit for one object, only for the process. So a table below what the processor could run, which is what a
// host gets that limits the instruction set, goes without it.
bool is_limited(const KernelTable& kernels) {
  const std::string_view table(kernels.name);
  if (table == isa_name(Isa::scalar)) return true;
  return table == isa_name(Isa::avx2) && detect_isa() > Isa::avx2;
}

}  // namespace

std::unique_ptr<GemmBackend> make_onednn_backend(const KernelTable& kernels) {
  if (is_limited(kernels)) return nullptr;
  auto backend = std::make_unique<OnednnBackend>(kernels);
  if (!backend->probe()) return nullptr;
  return backend;
}

#else

std::unique_ptr<GemmBackend> make_onednn_backend(const kernels::KernelTable&) { return nullptr; }

#endif

// Measured, see README.md. Formats that it does not accept are never asked for.
std::int64_t onednn_min_rows(StorageFormat format) noexcept {
  switch (format) {
    case StorageFormat::f32:
      return 128;
    case StorageFormat::f16:
    case StorageFormat::bf16:
      return 256;  // native reads these as fast as F32 comes decoded
    default:
      return 64;
  }
}

}  // namespace fathom
