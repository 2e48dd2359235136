// How fast each table attends to latents, in fixed point and in BF16: a page of V2-Lite's and V3's shape (512 columns that are
// values too, 64 others) and 16 queries. Pages are many in turn, more than most caches hold. Products in fixed point are held
// against the ceiling of bytes, though integers are of 12 and 15 bits, of which no machine here has as many. Run: bench_kernels
// --benchmark_filter='/latents'
#include <cmath>
#include <string>
#include <vector>

#include "bench/kernel_limits.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::bench {
namespace {

using kernels::kFixedRows;

constexpr std::int64_t kShared = 512, kCols = 576, kQueries = 16, kPages = 2048;
constexpr double kOperations = 2.0 * double(kFixedRows * (kCols + kShared) * kQueries);

// One page's latents, again and again.
class Pages {
 public:
  explicit Pages(StorageFormat format) {
    Rng rng(4);
    const test::SampleMatrix page(format, kFixedRows, kCols, rng);
    page_ = page.view();
    for (std::int64_t i = 0; i < kPages; ++i) bytes_.insert(bytes_.end(), page_.data, page_.data + page_bytes());
  }
  std::int64_t page_bytes() const { return kFixedRows * page_.row_bytes; }
  kernels::WeightRows operator[](std::int64_t i) const {
    kernels::WeightRows rows = page_;
    rows.data = bytes_.data() + i % kPages * page_bytes();
    return rows;
  }

 private:
  kernels::WeightRows page_;
  std::vector<std::uint8_t> bytes_;
};

const Pages& pages(StorageFormat format) {
  static const Pages halves(StorageFormat::f16), bytes(StorageFormat::q8_0);
  return format == StorageFormat::f16 ? halves : bytes;
}

// 16-bit values that begin at a line of the cache.
template <typename T>
class Values {
 public:
  explicit Values(std::int64_t count) : memory_(std::size_t(count) + 32) {
    at_ = memory_.data();
    while (reinterpret_cast<std::uintptr_t>(at_) % 64) ++at_;
  }
  T* get() const { return at_; }

 private:
  std::vector<T> memory_;
  T* at_;
};

// A page's products and sums, as attention does them, with weights that are the same for all pages.
void attend_fixed(benchmark::State& state, const kernels::FixedPoint& fixed_point) {
  Rng rng(5);
  const Values<std::int16_t> queries(kQueries * kCols), weights(kQueries * kFixedRows);
  std::vector<float> scales(2 * kQueries), weight_scales(kQueries), row_scales(kFixedRows);
  std::vector<float> y(kQueries * kFixedRows), out(kQueries * kShared);
  for (std::int64_t i = 0; i < kQueries; ++i) {
    const test::Exact<float> x = test::random_floats(kCols, rng), p = test::random_floats(kFixedRows, rng);
    std::int16_t* query = queries.get() + i * kCols;
    scales[std::size_t(2 * i)] = fixed_point.fix_row(x.get(), nullptr, kShared, kernels::kFixedLimit, query);
    scales[std::size_t(2 * i + 1)] =
        fixed_point.fix_row(x.get() + kShared, nullptr, kCols - kShared, kernels::kFixedLimit, query + kShared);
    weight_scales[std::size_t(i)] =
        fixed_point.fix_row(p.get(), nullptr, kFixedRows, kernels::kFixedWeightLimit, weights.get() + i * kFixedRows);
  }
  const Pages& latents = pages(StorageFormat::f16);
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    const kernels::WeightRows rows = latents[i++];
    fixed_point.products(rows, kFixedRows, kShared, queries.get(), scales.data(), kQueries, row_scales.data(), y.data());
    fixed_point.sums(rows, kFixedRows, kShared, row_scales.data(), weights.get(), weight_scales.data(), kQueries,
                     latents[i].data, out.data(), kShared);
    benchmark::ClobberMemory();
  }
  report(state, clock, {.memory_bytes = double(latents.page_bytes()), .int8_operations = kOperations});
}

template <StorageFormat format>
void attend_bf16(benchmark::State& state, const kernels::Bf16Attention& attention) {
  Rng rng(5);
  const test::Exact<float> x = test::random_floats(kQueries * kCols, rng),
                           weights = test::random_floats(kQueries * kFixedRows, rng);
  const Values<std::uint16_t> queries(kernels::bf16_query_values(kQueries, kCols)), rounded(kernels::bf16_page_values(kCols));
  std::vector<float> y(kQueries * kFixedRows), out(kQueries * kShared);
  attention.arrange_queries(x.get(), kCols, kQueries, kCols, queries.get());
  const Pages& latents = pages(format);
  std::int64_t i = 0;
  const WorkClock clock;
  for (auto _ : state) {
    attention.round_rows[int(format)](latents[i++], kFixedRows, rounded.get());
    attention.products(rounded.get(), kCols, queries.get(), kQueries, y.data());
    attention.sums(rounded.get(), kCols, kShared, weights.get(), kQueries, out.data(), kShared);
    benchmark::ClobberMemory();
  }
  report(state, clock, {.memory_bytes = double(latents.page_bytes()), .bf16_operations = kOperations});
}

}  // namespace

void register_latent_attention() {
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    const auto add = [&](const char* name, auto attend, const auto& by) {
      benchmark::RegisterBenchmark((std::string(table->name) + name).c_str(),
                                   [=, &by](benchmark::State& state) { attend(state, by); });
    };
    if (table->fixed_point.products) add("/latents_fixed_point", attend_fixed, table->fixed_point);
    if (!table->attention_bf16.products) continue;
    add("/latents_bf16", attend_bf16<StorageFormat::f16>, table->attention_bf16);
    add("/latents_bf16/q8_0", attend_bf16<StorageFormat::q8_0>, table->attention_bf16);
  }
}

}  // namespace fathom::bench
