// Prefetching changes no bit of a product.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "kernels/prefetch_rows.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::Factors;
using test::Interleaved;
using test::SampleMatrix;
using test::SampleQuantised;

constexpr std::int64_t kRows = 48, kMaxM = 131;
constexpr std::int64_t kCounts[] = {1, 2, 3, 4, 5, 8, 11, 12, 16, 33, 131};

SampleMatrix sample(StorageFormat format, std::int64_t cols, Rng& rng) {
  if (format == StorageFormat::f8_e4m3) return SampleMatrix(format, kRows, cols, rng, Factors::f32_tiles, 128, 128);
  if (format == StorageFormat::f4_e2m1) return SampleMatrix(format, kRows, cols, rng, Factors::e8m0_tiles, 1, 32);
  return SampleMatrix(format, kRows, cols, rng);
}

// Calls check(w, multiply) for every table, format and form of rows; multiply(w, m, y) multiplies by m rows of activations.
template <typename Check>
void with_products(Check&& check) {
  Rng rng(31);
  for (const KernelTable* table : test::runnable_tables()) {
    if (table == scalar_table()) continue;  // it has one way only, and is slow
    CAPTURE(std::string(table->name));
    for (int format = 0; format < kFormats; ++format) {
      if (!table->decode_row[format]) continue;
      const StorageLayout& layout = storage_layout(StorageFormat(format));
      CAPTURE(std::string(layout.name));
      for (const std::int64_t cols :
           {std::int64_t{256}, std::int64_t{512} + std::int64_t(layout.block_values > 32 ? 256 : 96)}) {
        CAPTURE(cols);
        const SampleMatrix w = sample(StorageFormat(format), cols, rng);
        const Exact<float> x = test::random_floats(std::size_t(kMaxM * cols), rng);
        const SampleQuantised q(x, kMaxM, cols);
        if (table->matmul_f32[format]) {
          check(w.view(), [&](const WeightRows& rows, std::int64_t m, float* y) {
            table->matmul_f32[format](rows, 0, kRows, x.get(), cols, m, y, kRows);
          });
        }
        if (!table->matmul_q8[format]) continue;
        const auto multiply = [&](const WeightRows& rows, std::int64_t m, float* y) {
          table->matmul_q8[format](rows, 0, kRows, q.view(), m, y, kRows);
        };
        check(w.view(), multiply);
        if (table->interleave_rows[format]) check(Interleaved(*table, w).view, multiply);
      }
    }
  }
}

TEST_CASE("products have the same bits with every prefetch, in every format, table and number of rows") {
  with_products([](const WeightRows& w, auto&& multiply) {
    for (const std::int64_t m : kCounts) {
      CAPTURE(m);
      const Exact<float> expected(std::size_t(m * kRows)), y(std::size_t(m * kRows));
      multiply(w, m, expected.get());
      for (const PrefetchRow& row : kPrefetchRows) {
        CAPTURE(std::string(row.name));
        const StreamPrefetch prefetch{{row.how, row.how, row.how}};
        WeightRows chosen = w;
        chosen.prefetch = &prefetch;
        std::memset(y.get(), 0xff, y.size * sizeof(float));
        multiply(chosen, m, y.get());
        CHECK(!std::memcmp(y.get(), expected.get(), y.size * sizeof(float)));
      }
    }
  });
}

TEST_CASE("the names of prefetches are distinct, and so are the prefetches") {
  for (const PrefetchRow& a : kPrefetchRows) {
    for (const PrefetchRow& b : kPrefetchRows) {
      if (&a == &b) continue;
      CHECK(a.name != b.name);
      CHECK(!(a.how == b.how));
    }
  }
}

TEST_CASE("vector tables have a built-in prefetch for what they interleave, and it has a name") {
  const auto named = [](const Prefetch& how) {
    for (const PrefetchRow& row : kPrefetchRows) {
      if (row.how == how) return true;
    }
    return false;
  };
  for (const KernelTable* table : {avx2_table(), avx512_table(), avx512_vnni_table(), avx512_bf16_table(), amx_int8_table()}) {
    if (!table) continue;
    CAPTURE(std::string(table->name));
    for (int format = 0; format < kFormats; ++format) {
      CAPTURE(format);
      if (table->interleave_rows[format]) CHECK(table->prefetch[format]);
      if (!table->prefetch[format]) continue;
      for (const Prefetch& how : table->prefetch[format]->of) CHECK(named(how));
    }
  }
}

}  // namespace
}  // namespace fathom::kernels
