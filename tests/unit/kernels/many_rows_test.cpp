// Products with so many rows of activations, and sums of so many rows of weights, that tables take other ways through them:
// the bits are those of one row at a time.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::SampleMatrix;
using test::SampleQuantised;
using enum StorageFormat;

bool same_bits(const Exact<float>& a, const Exact<float>& b) { return !std::memcmp(a.get(), b.get(), a.size * sizeof(float)); }

constexpr StorageFormat kBlocked[] = {q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4};

// One block, whole groups of 256 and a block more, the widths of DeepSeek-V2-Lite's experts.
std::vector<std::int64_t> column_counts(StorageFormat format) {
  const std::int64_t block = storage_layout(format).block_values;
  std::vector<std::int64_t> counts{block, 512 + block, 2048};
  if (1408 % block == 0) counts.push_back(1408);
  return counts;
}

// Calls check(table, weights, activations, single) with `single` the product of one row of activations at a time.
template <typename Check>
void with_single_rows(std::int64_t rows, std::int64_t max_m, Rng& rng, Check&& check) {
  for (const StorageFormat format : kBlocked) {
    for (const std::int64_t cols : column_counts(format)) {
      const SampleMatrix w(format, rows, cols, rng);
      const SampleQuantised x(test::random_floats(std::size_t(max_m * cols), rng), max_m, cols);
      for (const KernelTable* table : test::runnable_tables()) {
        if (table == scalar_table()) continue;  // it knows one way only, and is slow
        CAPTURE(std::string(table->name));
        CAPTURE(std::string(storage_layout(format).name));
        CAPTURE(cols);
        const MatmulQ8 matmul = table->matmul_q8[int(format)];
        const Exact<float> single(std::size_t(max_m * rows));
        for (std::int64_t i = 0; i < max_m; ++i) matmul(w.view(), 0, rows, x.view(i), 1, single.get() + i * rows, rows);
        check(matmul, w, x, single);
      }
    }
  }
}

TEST_CASE("8-bit products of 1 to 70 rows, and of more than 128, have the bits of single ones") {
  Rng rng(14);
  constexpr std::int64_t kRows = 37, kMaxM = 131;  // two sixteens of weight rows and some
  with_single_rows(kRows, kMaxM, rng,
                   [&](MatmulQ8 matmul, const SampleMatrix& w, const SampleQuantised& x, const auto& single) {
                     for (std::int64_t m = 1; m <= kMaxM; m = m == 70 ? kMaxM : m + 1) {
                       CAPTURE(m);
                       const Exact<float> y(std::size_t(m * kRows));
                       matmul(w.view(), 0, kRows, x.view(), m, y.get(), kRows);
                       CHECK(!std::memcmp(y.get(), single.get(), y.size * sizeof(float)));
                     }
                   });
}

TEST_CASE("8-bit products of ranges around tiles of weight rows have the bits of the whole, and write nothing else") {
  Rng rng(17);
  constexpr std::int64_t kRows = 67, kMaxM = 33;
  constexpr float kUntouched = -12345.0f;
  with_single_rows(kRows, kMaxM, rng,
                   [&](MatmulQ8 matmul, const SampleMatrix& w, const SampleQuantised& x, const auto& single) {
                     for (const std::int64_t first : {0, 1, 5, 16}) {
                       for (const std::int64_t count : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 51}) {
                         for (const std::int64_t m : {1, 2, 4, 5, 8, 9, 16, 24, 33}) {
                           CAPTURE(first);
                           CAPTURE(count);
                           CAPTURE(m);
                           const Exact<float> y(std::size_t(m * kRows));
                           std::fill(y.get(), y.get() + y.size, kUntouched);
                           matmul(w.view(), first, first + count, x.view(), m, y.get(), kRows);
                           std::int64_t wrong = 0;
                           for (std::int64_t i = 0; i < m; ++i) {
                             for (std::int64_t n = 0; n < kRows; ++n) {
                               const std::size_t at = std::size_t(i * kRows + n);
                               const float expected = n >= first && n < first + count ? single[at] : kUntouched;
                               wrong += std::memcmp(&y[at], &expected, sizeof expected) != 0;
                             }
                           }
                           CHECK(wrong == 0);
                         }
                       }
                     }
                   });
}

TEST_CASE("all vector instruction sets give the same 8-bit products") {
  std::vector<const KernelTable*> tables = test::runnable_tables();
  tables.erase(tables.begin());  // the scalar one adds in another order
  if (tables.empty()) return;
  Rng rng(16);
  constexpr std::int64_t kRows = 19, kM = 45, kCols = 768 + 160;
  for (int format = 0; format < kFormats; ++format) {
    if (!tables[0]->matmul_q8[format]) continue;
    const std::int64_t cols = storage_layout(StorageFormat(format)).block_values > 32 ? 768 : kCols;
    const SampleMatrix w(StorageFormat(format), kRows, cols, rng);
    const SampleQuantised x(test::random_floats(kM * cols, rng), kM, cols);
    // A row; a row short of a tile of AMX; whole ones, and whole ones with some over.
    for (const std::int64_t m : {1, 5, 15, 16, 32, 45}) {
      const Exact<float> first(std::size_t(m * kRows)), other(std::size_t(m * kRows));
      tables[0]->matmul_q8[format](w.view(), 0, kRows, x.view(), m, first.get(), kRows);
      for (const KernelTable* table : tables) {
        CAPTURE(std::string(table->name));
        CAPTURE(format);
        CAPTURE(m);
        table->matmul_q8[format](w.view(), 0, kRows, x.view(), m, other.get(), kRows);
        CHECK(same_bits(first, other));
      }
    }
  }
}

TEST_CASE("sums of many weight rows have the bits of a row at a time") {
  Rng rng(15);
  constexpr std::int64_t kRows = 131, kCols = 200, kM = 6;
  for (const StorageFormat format : {f32, f16, bf16}) {
    const SampleMatrix w(format, kRows, kCols, rng);
    const Exact<float> x = test::random_floats(kM * kRows, rng);
    for (const KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      const Exact<float> whole(kM * kCols), by_row(kM * kCols);
      table->accumulate_rows[int(format)](w.view(), 0, kRows, x.get(), kRows, kM, whole.get(), kCols);
      for (std::int64_t n = 0; n < kRows; ++n) {
        table->accumulate_rows[int(format)](w.view(), n, n + 1, x.get() + n, kRows, kM, by_row.get(), kCols);
      }
      CHECK(same_bits(whole, by_row));
    }
  }
}

}  // namespace
}  // namespace fathom::kernels
