// How fast each table's functions on single rows are, on rows that stay in the first-level cache: norms, activations, what
// attention does to scores, rotation, rounding to 8 and 16 bits. Run: bench_kernels --benchmark_filter='avx2/exp_sum'
#include <string>
#include <vector>

#include "bench/kernel_limits.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::bench {
namespace {

constexpr std::int64_t kValues = 2048;  // four rows of them fit

struct Rows {
  Rows() {
    Rng rng(3);
    for (std::vector<float>* row : {&x, &y, &z}) {
      for (float& value : *row) value = test::uniform(rng, -1.0f, 1.0f);
    }
    // of a rotation, so that rotating again and again stays in range
    for (std::size_t i = 0; i < cos.size(); ++i) {
      cos[i] = std::cos(float(i));
      sin[i] = std::sin(float(i));
    }
  }
  std::vector<float> x = std::vector<float>(kValues), y = x, z = x, cos = std::vector<float>(kValues / 2), sin = cos;
  std::vector<std::uint16_t> halves = std::vector<std::uint16_t>(kValues);
  std::vector<std::int8_t> bytes = std::vector<std::int8_t>(kValues);
  std::vector<float> scales = std::vector<float>(kValues / 32);
  std::vector<std::int16_t> sums = std::vector<std::int16_t>(kValues / 16);
};

// `bytes_per_value`: read.
template <typename Call>
void add(const kernels::KernelTable& table, const char* name, double bytes_per_value, Call call) {
  benchmark::RegisterBenchmark((std::string(table.name) + "/" + name).c_str(), [=](benchmark::State& state) {
    Rows rows;
    const WorkClock clock;
    for (auto _ : state) {
      call(rows);
      benchmark::ClobberMemory();
    }
    report(state, clock, {.cached_bytes = bytes_per_value * kValues});
  });
}

void add_table(const kernels::KernelTable& t) {
  const std::int64_t n = kValues;
  add(t, "rms_norm", 4 * 2, [&t, n](Rows& r) { t.rms_norm(r.x.data(), r.z.data(), 1e-6f, n, r.y.data()); });
  add(t, "add", 4 * 2, [&t, n](Rows& r) { t.add(r.x.data(), r.y.data(), n); });
  add(t, "axpy", 4 * 2, [&t, n](Rows& r) { t.axpy(0.5f, r.x.data(), r.y.data(), n); });
  add(t, "scale", 4, [&t, n](Rows& r) { t.scale(1.0f, r.x.data(), n); });
  add(t, "silu_mul", 4 * 2, [&t, n](Rows& r) { t.silu_mul(r.x.data(), r.z.data(), r.y.data(), n); });
  add(t, "silu_mul_clamped", 4 * 2, [&t, n](Rows& r) { t.silu_mul_clamped(r.x.data(), r.z.data(), 7.0f, r.y.data(), n); });
  add(t, "swiglu_oai", 4 * 2, [&t, n](Rows& r) { t.swiglu_oai(r.x.data(), r.z.data(), 7.0f, r.y.data(), n); });
  add(t, "max", 4, [&t, n](Rows& r) { benchmark::DoNotOptimize(t.max(r.x.data(), n)); });
  // its own result goes in again, and settles at 1
  add(t, "exp_sum", 4, [&t, n](Rows& r) { benchmark::DoNotOptimize(t.exp_sum(r.x.data(), 1.0f, n)); });
  add(t, "rope_interleaved", 4 * 2, [&t, n](Rows& r) { t.rope_interleaved(r.x.data(), r.cos.data(), r.sin.data(), n / 2); });
  add(t, "rope_half", 4 * 2, [&t, n](Rows& r) { t.rope_half(r.x.data(), r.cos.data(), r.sin.data(), n / 2); });
  add(t, "quantise_row", 4,
      [&t, n](Rows& r) { t.quantise_row(r.x.data(), n, r.bytes.data(), r.scales.data(), r.sums.data()); });
  add(t, "f32_to_f16", 4, [&t, n](Rows& r) { t.f32_to_f16(r.x.data(), n, r.halves.data()); });
  add(t, "f32_to_bf16", 4, [&t, n](Rows& r) { t.f32_to_bf16(r.x.data(), n, r.halves.data()); });
}

}  // namespace

void register_vectors() {
  for (const kernels::KernelTable* table : test::runnable_tables()) add_table(*table);
}

}  // namespace fathom::bench
