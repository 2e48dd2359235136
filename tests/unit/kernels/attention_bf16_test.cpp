// Attention with everything rounded to BF16, by the tables that have it: right within that rounding, a query's bits its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::SampleMatrix;
using enum StorageFormat;

struct alignas(64) Scratch {
  std::byte bytes[kBf16AttentionScratch];
};

constexpr StorageFormat kFormats[] = {f32, f16, bf16};

// Calls check(attention, format) for all that there is.
template <typename Check>
void with_tables(Check&& check) {
  for (const KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : kFormats) {
      const Bf16Attention& attention = table->attention_bf16[int(format)];
      CHECK(bool(attention.products) == (table->split_bf16 != nullptr));
      CHECK(bool(attention.sums) == bool(attention.products));
      if (!attention.products) continue;
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      check(attention, format);
    }
  }
}

double rounded(float value) { return double(bf16_to_f32(f32_to_bf16(value))); }

TEST_CASE("products of queries and keys in BF16 are those of rounded numbers") {
  Rng rng(41);
  const auto scratch = std::make_unique<Scratch>();
  with_tables([&](const Bf16Attention& attention, StorageFormat format) {
    for (const std::int64_t cols : {1, 16, 40, 64, 128, 192, 300, 576}) {
      for (const std::int64_t rows : {1, 15, 16, 17, 40, 64}) {
        for (const std::int64_t m : {1, 16, 33, 64, 70}) {
          if (cols * rows * m > 500'000) continue;
          CAPTURE(cols);
          CAPTURE(rows);
          CAPTURE(m);
          const SampleMatrix w(format, rows, cols, rng);
          const Exact<float> x = test::random_floats(std::size_t(m * cols), rng);
          Exact<float> y(std::size_t(m * 64));
          std::fill_n(y.get(), y.size, -12345.0f);
          attention.products(w.view(), rows, x.get(), cols, m, scratch.get(), y.get(), 64);
          bool right = true, untouched = true;
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t n = 0; n < 64; ++n) {
              const double found = double(y[std::size_t(i * 64 + n)]);
              if (n >= rows) {
                untouched &= found == -12345.0;
                continue;
              }
              double exact = 0, magnitude = 0;
              for (std::int64_t k = 0; k < cols; ++k) {
                const double term = rounded(w.value(n, k)) * rounded(x[std::size_t(i * cols + k)]);
                exact += term;
                magnitude += std::fabs(term);
              }
              right &= std::fabs(found - exact) <= double(cols + 4) * 0x1p-24 * magnitude;
            }
          }
          CHECK(right);
          CHECK(untouched);
        }
      }
    }
  });
}

TEST_CASE("weighted sums of values in BF16 are those of rounded numbers, and are added") {
  Rng rng(42);
  const auto scratch = std::make_unique<Scratch>();
  with_tables([&](const Bf16Attention& attention, StorageFormat format) {
    for (const std::int64_t cols : {1, 16, 33, 64, 128, 192}) {
      for (const std::int64_t rows : {1, 31, 32, 33, 64}) {
        for (const std::int64_t m : {1, 17, 64, 70}) {
          if (cols * rows * m > 500'000) continue;
          CAPTURE(cols);
          CAPTURE(rows);
          CAPTURE(m);
          const SampleMatrix w(format, rows, cols, rng);
          const Exact<float> x = test::random_floats(std::size_t(m * 64), rng);
          for (std::int64_t i = 0; i < m; ++i) {  // weights behind the rows mean nothing
            for (std::int64_t n = rows; n < 64; ++n) x[std::size_t(i * 64 + n)] = std::numeric_limits<float>::quiet_NaN();
          }
          const Exact<float> before = test::random_floats(std::size_t(m * cols), rng);
          Exact<float> y(before.size);
          std::copy_n(before.get(), before.size, y.get());
          attention.sums(w.view(), rows, x.get(), 64, m, scratch.get(), y.get(), cols);
          bool right = true;
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t k = 0; k < cols; ++k) {
              const std::size_t at = std::size_t(i * cols + k);
              double exact = double(before[at]), magnitude = std::fabs(exact);
              for (std::int64_t n = 0; n < rows; ++n) {
                const double term = rounded(w.value(n, k)) * rounded(x[std::size_t(i * 64 + n)]);
                exact += term;
                magnitude += std::fabs(term);
              }
              right &= std::fabs(double(y[at]) - exact) <= double(rows + 4) * 0x1p-24 * magnitude;
            }
          }
          CHECK(right);
        }
      }
    }
  });
}

TEST_CASE("a query has the same bits in attention in BF16 whatever queries share its call") {
  Rng rng(43);
  constexpr std::int64_t kM = 70, kCols = 192, kRows = 50;
  const auto scratch = std::make_unique<Scratch>();
  with_tables([&](const Bf16Attention& attention, StorageFormat format) {
    const SampleMatrix w(format, kRows, kCols, rng);
    const Exact<float> x = test::random_floats(std::size_t(kM * kCols), rng);
    Exact<float> together(std::size_t(kM * 64)), alone(together.size), sums(std::size_t(kM * kCols)), sums_alone(sums.size);
    attention.products(w.view(), kRows, x.get(), kCols, kM, scratch.get(), together.get(), 64);
    attention.sums(w.view(), kRows, together.get(), 64, kM, scratch.get(), sums.get(), kCols);
    for (std::int64_t i = 0; i < kM; ++i) {
      attention.products(w.view(), kRows, x.get() + i * kCols, kCols, 1, scratch.get(), alone.get() + i * 64, 64);
      attention.sums(w.view(), kRows, alone.get() + i * 64, 64, 1, scratch.get(), sums_alone.get() + i * kCols, kCols);
    }
    CHECK(!std::memcmp(together.get(), alone.get(), together.size * sizeof(float)));
    CHECK(!std::memcmp(sums.get(), sums_alone.get(), sums.size * sizeof(float)));
  });
}

}  // namespace
}  // namespace fathom::kernels
