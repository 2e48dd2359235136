// How fast each back end multiplies each format by few and by many rows: what lib/backend's bf16_min_rows and onednn_min_rows
// are set from. Thread CPU time, so that other work on the machine disturbs little; items are multiply-adds. Run: bench_backend
// --benchmark_filter='BF16/.*/m:32$'
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "backend/gemm_backend.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom {
namespace {

struct Shape {
  std::int64_t rows, cols;
};

// `copies` matrices one behind the other, more bytes than the caches hold, as the matrices of a model.
struct Weights {
  Weights(StorageFormat format, Shape shape) {
    const StorageLayout& layout = storage_layout(format);
    const std::int64_t row_bytes = shape.cols / layout.block_values * layout.block_bytes;
    const std::int64_t copies = 1 + (64 << 20) / (shape.rows * row_bytes);
    Rng rng(1);
    const std::vector<std::byte> one = test::random_weights(format, std::size_t(shape.rows * shape.cols), rng);
    for (std::int64_t i = 0; i < copies; ++i) bytes.insert(bytes.end(), one.begin(), one.end());
    factors.assign(std::size_t(shape.rows * shape.cols / 32), 0x1p-4f);
    for (std::int64_t i = 0; i < copies; ++i) {
      WeightView view{format, shape.rows, shape.cols, {}};
      view.stored.data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + i * shape.rows * row_bytes;
      view.stored.row_bytes = row_bytes;
      view.stored.cols = shape.cols;
      if (format == StorageFormat::f8_e4m3 || format == StorageFormat::f4_e2m1) add_factors(view);
      views.push_back(view);
    }
  }

  void add_factors(WeightView& view) const {
    const bool fp8 = view.format == StorageFormat::f8_e4m3;
    view.stored.scales = factors.data();
    view.stored.scale_rows = fp8 ? 128 : 1;
    view.stored.scale_cols = fp8 ? 128 : 32;
    view.stored.scale_stride = view.cols / view.stored.scale_cols;
    view.stored.scale_is_e8m0 = !fp8;
  }

  std::vector<std::byte> bytes;
  std::vector<float> factors;
  std::vector<WeightView> views;
};

void multiply(benchmark::State& state, const GemmBackend& backend, StorageFormat format, Shape shape) {
  const std::int64_t m = state.range(0);
  const Weights weights(format, shape);
  std::vector<std::unique_ptr<PackedMatrix>> matrices;
  for (const WeightView& view : weights.views) matrices.push_back(backend.pack(view, m, heap_allocator()));
  Rng rng(2);
  const test::Exact<float> x = test::random_floats(std::size_t(m * shape.cols), rng);
  const test::SampleQuantised quantised(x, m, shape.cols);
  const test::SampleBf16 bf16(x, m, shape.cols);
  const Activations activations{{x.get(), m, shape.cols}, quantised.view(), bf16.view()};
  test::Exact<float> y(std::size_t(m * shape.rows));
  const Buffer scratch(heap_allocator(), backend.scratch_bytes(*matrices[0], m), MemoryPurpose::scratch);
  std::size_t next = 0;
  for (auto _ : state) {
    backend.multiply(activations, *matrices[next++ % matrices.size()], {y.get(), m, shape.rows}, 0, shape.rows,
                     {scratch.data(), scratch.bytes()});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * m * shape.rows * shape.cols);
}

void add_benchmarks(const GemmBackend& backend) {
  using enum StorageFormat;
  for (const StorageFormat format : {f32, f16, bf16, f8_e4m3, f4_e2m1, mxfp4, q4_k, q6_k, q8_0}) {
    for (const Shape shape : {Shape{2048, 2816}, Shape{1408, 2048}}) {
      if (!backend.accepts({format, shape.rows, shape.cols, {}})) continue;
      const std::string name = std::string(storage_layout(format).name) + "/" + backend.name() + "/" +
                               std::to_string(shape.rows) + "x" + std::to_string(shape.cols);
      benchmark::RegisterBenchmark(
          name.c_str(), [&backend, format, shape](benchmark::State& state) { multiply(state, backend, format, shape); })
          ->ArgName("m")
          ->ArgsProduct({{4, 16, 32, 48, 64, 96, 128, 192, 256, 512}});
    }
  }
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  const fathom::kernels::KernelTable& table = *fathom::test::runnable_tables().back();
  const auto native = fathom::make_native_backend(table);
  const auto bf16 = fathom::make_bf16_backend(table);
  const auto onednn = fathom::make_onednn_backend(table);
  fathom::add_benchmarks(*native);
  if (bf16) fathom::add_benchmarks(*bf16);
  if (onednn) fathom::add_benchmarks(*onednn);
  benchmark::AddCustomContext("kernels", table.name);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
