// Weighted sums of weight rows by every table.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::SampleMatrix;
using enum StorageFormat;

struct Operands {
  SampleMatrix w;
  Exact<float> x;      // [m, rows]
  Exact<float> start;  // [m, cols]
};

Operands make_operands(StorageFormat format, std::int64_t rows, std::int64_t cols, std::int64_t m, Rng& rng) {
  return {SampleMatrix(format, rows, cols, rng), test::random_floats(std::size_t(m * rows), rng),
          test::random_floats(std::size_t(m * cols), rng)};
}

// y += x[first_x ..] w[first ..] for m rows of x.
void call(const KernelTable& table, const Operands& o, std::int64_t first, std::int64_t last, std::int64_t first_x,
          std::int64_t m, const Exact<float>& y) {
  table.accumulate_rows[int(o.w.format())](o.w.view(), first, last, o.x.get() + first_x * o.w.rows() + first, o.w.rows(), m,
                                           y.get() + first_x * o.w.cols(), o.w.cols());
}

Exact<float> copy_of(const Exact<float>& values) {
  Exact<float> copy(values.size);
  std::memcpy(copy.get(), values.get(), values.size * sizeof(float));
  return copy;
}

bool same_bits(const Exact<float>& a, const Exact<float>& b) { return !std::memcmp(a.get(), b.get(), a.size * sizeof(float)); }

TEST_CASE("weight rows are added with their weights, on top of what was there") {
  Rng rng(9);
  constexpr std::int64_t kM = 5;
  for (const StorageFormat format : {f32, f16, bf16, q8_0}) {
    for (const std::int64_t rows : {1, 3, 4, 5, 8, 21}) {
      for (const std::int64_t cols : {1, 7, 8, 9, 31, 32, 33, 64, 96, 100, 160, 513}) {
        if (cols % storage_layout(format).block_values) continue;
        const Operands o = make_operands(format, rows, cols, kM, rng);
        for (const KernelTable* table : test::runnable_tables()) {
          CAPTURE(std::string(table->name));
          CAPTURE(cols);
          const Exact<float> y = copy_of(o.start);
          call(*table, o, 0, rows, 0, kM, y);
          for (std::int64_t i = 0; i < kM; ++i) {
            for (std::int64_t k = 0; k < cols; ++k) {
              double exact = o.start[std::size_t(i * cols + k)], magnitude = std::fabs(exact);
              for (std::int64_t n = 0; n < rows; ++n) {
                const double term = double(o.x[std::size_t(i * rows + n)]) * o.w.value(n, k);
                exact += term;
                magnitude += std::fabs(term);
              }
              REQUIRE(std::fabs(y[std::size_t(i * cols + k)] - exact) <= double(rows + 1) * 0x1p-24 * magnitude);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("accumulation has the same bits however its rows are cut") {
  Rng rng(10);
  constexpr std::int64_t kM = 9, kRows = 23;
  for (const StorageFormat format : {f32, f16, bf16, q8_0}) {
    const Operands o = make_operands(format, kRows, format == q8_0 ? 96 : 77, kM, rng);
    for (const KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      const Exact<float> whole = copy_of(o.start), by_x = copy_of(o.start);
      call(*table, o, 0, kRows, 0, kM, whole);
      for (std::int64_t i = 0; i < kM; ++i) call(*table, o, 0, kRows, i, 1, by_x);
      CHECK(same_bits(by_x, whole));
      for (const std::int64_t step : {1, 3, 4, 7}) {
        const Exact<float> in_steps = copy_of(o.start);
        for (std::int64_t n = 0; n < kRows; n += step) call(*table, o, n, std::min(n + step, kRows), 0, kM, in_steps);
        CHECK(same_bits(in_steps, whole));
      }
    }
  }
}

}  // namespace
}  // namespace fathom::kernels
