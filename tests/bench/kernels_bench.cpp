// How fast each table multiplies each format, and what attention and the other back ends take of it: rows added up (accumulate)
// and decoded. The weights are many matrices in turn, more than most caches hold, as in a model: with few rows memory sets the
// pace. Run: bench_kernels --benchmark_filter='avx2/Q4_K_q8/m:1$', or 'avx2/Q4_K_prefetch:.*/m:1$' for every prefetch.
#include <string>
#include <vector>

#include "base/allocator.hpp"
#include "bench/kernel_limits.hpp"
#include "kernels/prefetch_rows.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::bench {
namespace {

constexpr std::int64_t kCols = 4096, kRows = 256;  // one call, a task's share
constexpr std::int64_t kWeightBytes = 192 << 20;   // all matrices together

// Random matrices of one format, back to back.
struct Weights {
  explicit Weights(StorageFormat format) {
    const StorageLayout& layout = storage_layout(format);
    matrix_bytes = kRows * kCols / layout.block_values * layout.block_bytes;
    count = kWeightBytes / matrix_bytes;
    Rng rng(1);
    const std::vector<std::byte> one = test::random_weights(format, std::size_t(kRows * kCols), rng);
    for (std::int64_t i = 0; i < count; ++i) bytes.insert(bytes.end(), one.begin(), one.end());
  }

  // The i-th matrix, with the factors that its format has beside it.
  kernels::WeightRows matrix(StorageFormat format, std::int64_t i) const {
    kernels::WeightRows w;
    w.data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + i % count * matrix_bytes;
    w.row_bytes = matrix_bytes / kRows;
    w.cols = kCols;
    if (format == StorageFormat::f8_e4m3 || format == StorageFormat::f4_e2m1) {
      const bool fp8 = format == StorageFormat::f8_e4m3;
      w.scales = fp8 ? static_cast<const void*>(factors.data()) : powers.data();
      w.scale_rows = fp8 ? 128 : 1;
      w.scale_cols = fp8 ? 128 : 32;
      w.scale_stride = kCols / w.scale_cols;
      w.scale_is_e8m0 = !fp8;
    }
    return w;
  }

  std::vector<std::byte> bytes;
  std::vector<float> factors = std::vector<float>(std::size_t(kRows * kCols / (128 * 128)), 0x1p-4f);
  std::vector<std::uint8_t> powers = std::vector<std::uint8_t>(std::size_t(kRows * kCols / 32), std::uint8_t(123));
  std::int64_t matrix_bytes = 0, count = 0;
};

// Benchmarks run format by format; one set of weights is kept at a time.
const Weights& weights_of(StorageFormat format) {
  static StorageFormat kept = StorageFormat::other;
  static std::vector<Weights> weights;
  if (kept != format) {
    weights.clear();
    weights.emplace_back(format);
    kept = format;
  }
  return weights.front();
}

double operations(std::int64_t m) { return 2.0 * double(kRows * kCols * m); }

void multiply_f32(benchmark::State& state, const kernels::KernelTable& table, StorageFormat format, std::int64_t m) {
  const Weights& weights = weights_of(format);
  Rng rng(2);
  const test::Exact<float> x = test::random_floats(std::size_t(m * kCols), rng);
  std::vector<float> y(std::size_t(m * kRows));
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    table.matmul_f32[int(format)](weights.matrix(format, i++), 0, kRows, x.get(), kCols, m, y.data(), kRows);
    benchmark::ClobberMemory();
  }
  report(state, clock, {.memory_bytes = double(weights.matrix_bytes), .f32_operations = operations(m)});
}

// The other way through: what attention does with its weights and the values in the cache.
void accumulate(benchmark::State& state, const kernels::KernelTable& table, StorageFormat format, std::int64_t m) {
  const Weights& weights = weights_of(format);
  Rng rng(2);
  const test::Exact<float> x = test::random_floats(std::size_t(m * kRows), rng);
  std::vector<float> y(std::size_t(m * kCols));
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    table.accumulate_rows[int(format)](weights.matrix(format, i++), 0, kRows, x.get(), kRows, m, y.data(), kCols);
    benchmark::ClobberMemory();
  }
  report(state, clock, {.memory_bytes = double(weights.matrix_bytes), .f32_operations = operations(m)});
}

void decode(benchmark::State& state, const kernels::KernelTable& table, StorageFormat format) {
  const Weights& weights = weights_of(format);
  std::vector<float> out(kCols);
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    const kernels::WeightRows matrix = weights.matrix(format, i++);
    for (std::int64_t row = 0; row < kRows; ++row) {
      table.decode_row[int(format)](matrix, row, 0, kCols, out.data());
      benchmark::ClobberMemory();
    }
  }
  report(state, clock, {.memory_bytes = double(weights.matrix_bytes), .cached_bytes = 4.0 * double(kRows * kCols)});
}

// The weights of weights_of(format) interleaved by a table; one set is kept, as there.
const std::vector<std::byte>& interleaved_weights(const kernels::KernelTable& table, StorageFormat format) {
  static StorageFormat kept = StorageFormat::other;
  static std::vector<std::byte> bytes;
  if (kept != format) {
    const Weights& weights = weights_of(format);
    bytes.assign(weights.bytes.size(), std::byte(0));
    for (std::int64_t i = 0; i < weights.count; ++i) {
      table.interleave_rows[int(format)](weights.matrix(format, i), 0, kRows,
                                         reinterpret_cast<std::uint8_t*>(bytes.data()) + i * weights.matrix_bytes);
    }
    kept = format;
  }
  return bytes;
}

void multiply_q8(benchmark::State& state, const kernels::KernelTable& table, StorageFormat format, std::int64_t m,
                 bool interleaved = false, const kernels::StreamPrefetch* prefetch = nullptr) {
  const Weights& weights = weights_of(format);
  const std::uint8_t* const rearranged =
      interleaved ? reinterpret_cast<const std::uint8_t*>(interleaved_weights(table, format).data()) : nullptr;
  Rng rng(2);
  const test::SampleQuantised x(test::random_floats(std::size_t(m * kCols), rng), m, kCols);
  std::vector<float> y(std::size_t(m * kRows));
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    kernels::WeightRows matrix = weights.matrix(format, i);
    if (interleaved) {
      matrix.data = rearranged + i % weights.count * weights.matrix_bytes;
      matrix.interleaved = 1;
      matrix.prefetch = prefetch;
    }
    ++i;
    table.matmul_q8[int(format)](matrix, 0, kRows, x.view(), m, y.data(), kRows);
    benchmark::ClobberMemory();
  }
  report(state, clock, {.memory_bytes = double(weights.matrix_bytes), .int8_operations = operations(m)});
}

// As a model has them: interleaved where the format has that form.
void multiply_bf16(benchmark::State& state, const kernels::KernelTable& table, StorageFormat format, std::int64_t m) {
  const Weights& weights = weights_of(format);
  const bool interleaved = table.interleave_rows[int(format)] != nullptr;
  const auto* const bytes =
      reinterpret_cast<const std::uint8_t*>(interleaved ? interleaved_weights(table, format).data() : weights.bytes.data());
  Rng rng(2);
  const test::SampleBf16 x(test::random_floats(std::size_t(m * kCols), rng), m, kCols);
  const Buffer scratch(heap_allocator(), kernels::kBf16Scratch, MemoryPurpose::scratch);
  std::vector<float> y(std::size_t(m * kRows));
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    kernels::WeightRows matrix = weights.matrix(format, i);
    matrix.data = bytes + i++ % weights.count * weights.matrix_bytes;
    matrix.interleaved = interleaved;
    table.matmul_bf16[int(format)](matrix, 0, kRows, x.view(), m, scratch.data(), y.data(), kRows);
    benchmark::ClobberMemory();
  }
  report(state, clock, {.memory_bytes = double(weights.matrix_bytes), .bf16_operations = operations(m)});
}

}  // namespace

void register_products() {
  using enum StorageFormat;
  for (const StorageFormat format :
       {f32, f16, bf16, f8_e4m3, f4_e2m1, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4}) {
    for (const kernels::KernelTable* table : test::runnable_tables()) {
      const std::string name = std::string(table->name) + "/" + std::string(storage_layout(format).name);
      if (table->decode_row[int(format)]) {
        benchmark::RegisterBenchmark((name + "_decode").c_str(),
                                     [=](benchmark::State& state) { decode(state, *table, format); });
      }
      for (const std::int64_t m : {16, 48, 128}) {
        if (!table->matmul_bf16[int(format)]) continue;
        benchmark::RegisterBenchmark((name + "_bf16/m:" + std::to_string(m)).c_str(),
                                     [=](benchmark::State& state) { multiply_bf16(state, *table, format, m); });
      }
      for (const std::int64_t m : {1, 4, 16}) {
        const std::string rows = "/m:" + std::to_string(m);
        if (table->matmul_f32[int(format)]) {
          benchmark::RegisterBenchmark((name + "_f32" + rows).c_str(),
                                       [=](benchmark::State& state) { multiply_f32(state, *table, format, m); });
        }
        if (table->accumulate_rows[int(format)]) {
          benchmark::RegisterBenchmark((name + "_accumulate" + rows).c_str(),
                                       [=](benchmark::State& state) { accumulate(state, *table, format, m); });
        }
        if (table->matmul_q8[int(format)]) {
          benchmark::RegisterBenchmark((name + "_q8" + rows).c_str(),
                                       [=](benchmark::State& state) { multiply_q8(state, *table, format, m); });
        }
        if (table->interleave_rows[int(format)]) {
          benchmark::RegisterBenchmark((name + "_interleaved" + rows).c_str(),
                                       [=](benchmark::State& state) { multiply_q8(state, *table, format, m, true); });
          for (const kernels::PrefetchRow& row : kernels::kPrefetchRows) {
            benchmark::RegisterBenchmark((name + "_prefetch:" + std::string(row.name) + rows).c_str(),
                                         [=](benchmark::State& state) {
                                           const kernels::StreamPrefetch prefetch{{row.how, row.how, row.how}};
                                           multiply_q8(state, *table, format, m, true, &prefetch);
                                         });
          }
        }
      }
    }
  }
}

}  // namespace fathom::bench
