// Attention with everything rounded to BF16, by the tables that have it: right within that rounding, a query's bits its own.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::SampleMatrix;
using enum StorageFormat;

constexpr StorageFormat kFormats[] = {f32, f16, bf16, q8_0};
constexpr std::int64_t kRows = kBf16PageRows;

// 16-bit values that begin at a multiple of 64 bytes, and end where the memory ends but for what that takes.
class Arranged {
 public:
  explicit Arranged(std::int64_t count) : memory_(std::size_t(count) + 32), at_(memory_.get()) {
    while (reinterpret_cast<std::uintptr_t>(at_) % 64) ++at_;
    std::fill_n(at_, count, std::uint16_t{0x7fc0});  // what is left of it shows: NaN
  }
  std::uint16_t* get() const { return at_; }

 private:
  Exact<std::uint16_t> memory_;
  std::uint16_t* at_;
};

// Calls check(attention, format) for all that there is.
template <typename Check>
void with_tables(Check&& check) {
  for (const KernelTable* table : test::runnable_tables()) {
    const Bf16Attention& attention = table->attention_bf16;
    CHECK(bool(attention.products) == (table->split_bf16 != nullptr));
    if (!attention.products) continue;
    for (const StorageFormat format : kFormats) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      check(attention, format);
    }
  }
}

// y [m, 64]
Exact<float> products(const Bf16Attention& attention, const SampleMatrix& w, StorageFormat format, std::int64_t rows,
                      std::int64_t cols, const float* x, std::int64_t m) {
  const Arranged page(bf16_page_values(cols)), queries(bf16_query_values(m, cols));
  Exact<float> y(std::size_t(m * kRows));
  attention.round_rows[int(format)](w.view(), rows, page.get());
  attention.arrange_queries(x, cols, m, cols, queries.get());
  attention.products(page.get(), cols, queries.get(), m, y.get());
  return y;
}

// Adds to y [m, wanted]: sums of the first `wanted` columns.
void add_sums(const Bf16Attention& attention, const SampleMatrix& w, StorageFormat format, std::int64_t rows, std::int64_t cols,
              std::int64_t wanted, const float* weights, std::int64_t m, float* y) {
  const Arranged page(bf16_page_values(cols));
  attention.round_rows[int(format)](w.view(), rows, page.get());
  attention.sums(page.get(), cols, wanted, weights, m, y, wanted);
}

bool whole_blocks(StorageFormat format, std::int64_t cols) { return cols % storage_layout(format).block_values == 0; }

double rounded(float value) { return double(bf16_to_f32(f32_to_bf16(value))); }

TEST_CASE("products of queries and keys in BF16 are those of rounded numbers") {
  Rng rng(41);
  with_tables([&](const Bf16Attention& attention, StorageFormat format) {
    for (const std::int64_t cols : {1, 16, 40, 64, 128, 192, 300, 576}) {
      for (const std::int64_t rows : {1, 15, 16, 17, 40, 64}) {
        for (const std::int64_t m : {1, 16, 33, 64, 70}) {
          if (cols * rows * m > 500'000 || !whole_blocks(format, cols)) continue;
          CAPTURE(cols);
          CAPTURE(rows);
          CAPTURE(m);
          const SampleMatrix w(format, rows, cols, rng);
          const Exact<float> x = test::random_floats(std::size_t(m * cols), rng);
          const Exact<float> y = products(attention, w, format, rows, cols, x.get(), m);
          bool right = true, zeros_behind = true;
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t n = 0; n < kRows; ++n) {
              const double found = double(y[std::size_t(i * kRows + n)]);
              if (n >= rows) {
                zeros_behind &= found == 0.0;
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
          CHECK(zeros_behind);
        }
      }
    }
  });
}

TEST_CASE("weighted sums of values in BF16 are those of rounded numbers, and are added") {
  Rng rng(42);
  with_tables([&](const Bf16Attention& attention, StorageFormat format) {
    for (const auto& [cols, wanted] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                                       {16, 16},
                                       {33, 33},
                                       {64, 64},
                                       {80, 80},
                                       {80, 48},
                                       {192, 192},
                                       {192, 127},
                                       {576, 512}}) {
      for (const std::int64_t rows : {1, 31, 32, 33, 64}) {
        for (const std::int64_t m : {1, 16, 17, 64, 70}) {
          if (cols * rows * m > 800'000 || !whole_blocks(format, cols)) continue;
          CAPTURE(cols);
          CAPTURE(wanted);
          CAPTURE(rows);
          CAPTURE(m);
          const SampleMatrix w(format, rows, cols, rng);
          const Exact<float> weights = test::random_floats(std::size_t(m * kRows), rng);
          const Exact<float> before = test::random_floats(std::size_t(m * wanted), rng);
          Exact<float> y(before.size);
          std::copy_n(before.get(), before.size, y.get());
          add_sums(attention, w, format, rows, cols, wanted, weights.get(), m, y.get());
          bool right = true;
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t k = 0; k < wanted; ++k) {
              const std::size_t at = std::size_t(i * wanted + k);
              double exact = double(before[at]), magnitude = std::fabs(exact);
              for (std::int64_t n = 0; n < rows; ++n) {
                const double term = rounded(w.value(n, k)) * rounded(weights[std::size_t(i * kRows + n)]);
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
  constexpr std::int64_t kM = 70, kCols = 192, kSome = 50;
  with_tables([&](const Bf16Attention& attention, StorageFormat format) {
    const SampleMatrix w(format, kSome, kCols, rng);
    const Exact<float> x = test::random_floats(std::size_t(kM * kCols), rng);
    const Exact<float> together = products(attention, w, format, kSome, kCols, x.get(), kM);
    for (const std::int64_t wanted : {kCols, std::int64_t{100}}) {
      CAPTURE(wanted);
      Exact<float> sums(std::size_t(kM * wanted)), alone(sums.size / std::size_t(kM));
      std::fill_n(sums.get(), sums.size, 0.25f);
      add_sums(attention, w, format, kSome, kCols, wanted, together.get(), kM, sums.get());
      for (std::int64_t i = 0; i < kM; ++i) {
        CAPTURE(i);
        const Exact<float> scores = products(attention, w, format, kSome, kCols, x.get() + i * kCols, 1);
        CHECK(!std::memcmp(together.get() + i * kRows, scores.get(), scores.size * sizeof(float)));
        std::fill_n(alone.get(), alone.size, 0.25f);
        add_sums(attention, w, format, kSome, kCols, wanted, scores.get(), 1, alone.get());
        CHECK(!std::memcmp(sums.get() + i * wanted, alone.get(), alone.size * sizeof(float)));
      }
    }
  });
}

}  // namespace
}  // namespace fathom::kernels
