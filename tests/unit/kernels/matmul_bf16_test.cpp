// Products with activations in BF16, by the tables that have them: right within the rounding of weights and sums, and the same
// bits however a call is cut.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::Factors;
using test::Interleaved;
using test::SampleBf16;
using test::SampleMatrix;
using test::SampleQuantised;
using enum StorageFormat;

struct Case {
  StorageFormat format;
  std::int64_t cols;
  Factors factors = Factors::none;
  std::int32_t tile_rows = 1;
};

bool is_floating(StorageFormat format) { return format == bf16 || format == f8_e4m3 || format == mxfp4; }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const StorageFormat format :
       {q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, bf16, f8_e4m3, mxfp4}) {
    const std::int64_t block = std::max<std::int64_t>(32, storage_layout(format).block_values);
    for (const std::int64_t blocks : {1, 2, 3, 9}) cases.push_back({format, blocks * block});
  }
  for (const Factors factors : {Factors::f32_tiles, Factors::e8m0_tiles}) {
    for (const std::int64_t cols : {32, 128, 160, 512}) {
      for (const std::int32_t rows : {1, 20, 128}) cases.push_back({f8_e4m3, cols, factors, rows});
    }
  }
  return cases;
}

template <typename Check>  // Check(table, case, matmul)
void with_products(Check&& check) {
  for (const KernelTable* table : test::runnable_tables()) {
    for (const Case& c : all_cases()) {
      const MatmulBf16 matmul = table->matmul_bf16[int(c.format)];
      if (!matmul) continue;
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(c.format).name));
      CAPTURE(c.cols);
      check(*table, c, matmul);
    }
  }
}

struct alignas(64) Scratch {
  std::byte bytes[kBf16Scratch];
};

Exact<float> multiply(MatmulBf16 matmul, const WeightRows& w, std::int64_t rows, const SampleBf16& x, std::int64_t m) {
  const auto scratch = std::make_unique<Scratch>();
  Exact<float> y(std::size_t(m * rows));
  matmul(w, 0, rows, x.view(), m, scratch.get(), y.get(), rows);
  return y;
}

TEST_CASE("products with activations in BF16 are right within the rounding of weights") {
  Rng rng(31);
  constexpr std::int64_t kRows = 37, kM = 35;
  with_products([&](const KernelTable&, const Case& c, MatmulBf16 matmul) {
    const SampleMatrix w(c.format, kRows, c.cols, rng, c.factors, c.tile_rows, 128);
    const Exact<float> values = test::random_floats(std::size_t(kM * c.cols), rng);
    const SampleBf16 x(values, kM, c.cols);
    const Exact<float> y = multiply(matmul, w.view(), kRows, x, kM);
    const bool floating = is_floating(c.format);
    // Half a unit of BF16 for a weight, and what a code loses as a fraction; sums round once an addition, of each term.
    const double bound =
        floating ? double(kBf16Terms * c.cols + 16) * 0x1p-24 : 0x1p-9 + 0x1p-16 + double(c.cols + 16) * 0x1p-24;
    for (std::int64_t i = 0; i < kM; ++i) {
      for (std::int64_t n = 0; n < kRows; ++n) {
        double exact = 0, magnitude = 0;
        for (std::int64_t k = 0; k < c.cols; ++k) {
          const double value = w.value(n, k), offset = w.offset(n, k),
                       by = floating ? double(values[std::size_t(i * c.cols + k)]) : x.rounded(i, k);
          exact += value * by;
          magnitude += (std::fabs(value - offset) + std::fabs(offset)) * std::fabs(by);
        }
        REQUIRE(std::fabs(y[std::size_t(i * kRows + n)] - exact) <= bound * magnitude);
      }
    }
  });
}

TEST_CASE("block formats lose less to activations in BF16 than to activations in 8 bits") {
  Rng rng(32);
  constexpr std::int64_t kRows = 48, kM = 32;
  with_products([&](const KernelTable& table, const Case& c, MatmulBf16 matmul) {
    if (is_floating(c.format)) return;
    const SampleMatrix w(c.format, kRows, c.cols, rng);
    const Exact<float> values = test::random_floats(std::size_t(kM * c.cols), rng);
    const Exact<float> y = multiply(matmul, w.view(), kRows, SampleBf16(values, kM, c.cols), kM);
    Exact<float> quantised(std::size_t(kM * kRows));
    table.matmul_q8[int(c.format)](w.view(), 0, kRows, SampleQuantised(values, kM, c.cols).view(), kM, quantised.get(), kRows);
    double error = 0, error_of_8_bits = 0;
    for (std::int64_t i = 0; i < kM; ++i) {
      for (std::int64_t n = 0; n < kRows; ++n) {
        double exact = 0;
        for (std::int64_t k = 0; k < c.cols; ++k) exact += double(w.value(n, k)) * double(values[std::size_t(i * c.cols + k)]);
        const std::size_t at = std::size_t(i * kRows + n);
        error += (y[at] - exact) * (y[at] - exact);
        error_of_8_bits += (quantised[at] - exact) * (quantised[at] - exact);
      }
    }
    CHECK(error < error_of_8_bits);
  });
}

TEST_CASE("a product with activations in BF16 has the same bits however it is cut, and writes nothing else") {
  Rng rng(33);
  constexpr std::int64_t kRows = 70, kM = 300;  // more than a panel, two pairs of tiles and some
  constexpr float kUntouched = -12345.0f;
  const auto scratch = std::make_unique<Scratch>();
  with_products([&](const KernelTable&, const Case& c, MatmulBf16 matmul) {
    if (c.cols > 600) return;
    const SampleMatrix w(c.format, kRows, c.cols, rng, c.factors, c.tile_rows, 128);
    const SampleBf16 x(test::random_floats(std::size_t(kM * c.cols), rng), kM, c.cols);
    const Exact<float> whole = multiply(matmul, w.view(), kRows, x, kM);
    for (const std::int64_t first : {0, 1, 16, 33}) {
      for (const std::int64_t count : {0, 1, 15, 16, 17, 32, 33}) {
        for (const auto& [row, m] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {3, 16}, {7, 31}, {100, 49}, {0, 0}}) {
          Exact<float> y(std::size_t(std::max<std::int64_t>(m, 1) * kRows));
          std::fill_n(y.get(), y.size, kUntouched);
          matmul(w.view(), first, first + count, x.view(row), m, scratch.get(), y.get(), kRows);
          bool same = true;
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t n = 0; n < kRows; ++n) {
              const bool inside = n >= first && n < first + count;
              same &= y[std::size_t(i * kRows + n)] == (inside ? whole[std::size_t((row + i) * kRows + n)] : kUntouched);
            }
          }
          CHECK(same);
        }
      }
    }
  });
}

TEST_CASE("interleaved rows give products with activations in BF16 the same bits") {
  Rng rng(34);
  constexpr std::int64_t kRows = 48, kM = 20;
  with_products([&](const KernelTable& table, const Case& c, MatmulBf16 matmul) {
    if (!table.interleave_rows[int(c.format)]) return;
    const SampleMatrix w(c.format, kRows, c.cols, rng);
    const Interleaved interleaved(table, w);
    const SampleBf16 x(test::random_floats(std::size_t(kM * c.cols), rng), kM, c.cols);
    const Exact<float> a = multiply(matmul, w.view(), kRows, x, kM), b = multiply(matmul, interleaved.view, kRows, x, kM);
    CHECK(!std::memcmp(a.get(), b.get(), a.size * sizeof(float)));
  });
}

// One column of one row at a time, times one.
TEST_CASE("every FP8 and MXFP4 code has its value in products with activations in BF16") {
  for (const KernelTable* table : test::runnable_tables()) {
    if (!table->split_bf16) continue;
    const auto scratch = std::make_unique<Scratch>();
    Exact<float> ones(32);
    for (const StorageFormat format : {f8_e4m3, mxfp4}) {
      const bool fp8 = format == f8_e4m3;
      for (int exponent = 0; exponent < (fp8 ? 1 : 256); ++exponent) {
        const std::int64_t rows = fp8 ? 256 : 16, row_bytes = fp8 ? 32 : 17;
        Exact<std::byte> bytes(std::size_t(rows * row_bytes));
        for (std::int64_t code = 0; code < rows; ++code) {
          std::byte* row = bytes.get() + code * row_bytes;
          std::memset(row, 0, std::size_t(row_bytes));
          if (!fp8) *row = std::byte(exponent);
          row[fp8 ? 5 : 6] = std::byte(code);  // column 5
        }
        for (std::size_t k = 0; k < 32; ++k) ones[k] = k == 5 ? 1.0f : 0.0f;
        WeightRows w;
        w.data = reinterpret_cast<const std::uint8_t*>(bytes.get());
        w.row_bytes = row_bytes;
        w.cols = 32;
        const Exact<float> y = multiply(table->matmul_bf16[int(format)], w, rows, SampleBf16(ones, 1, 32), 1);
        std::vector<float> values(std::size_t(rows * 32));
        quant::decode(format, {bytes.get(), bytes.size}, values);
        for (std::int64_t code = 0; code < rows; ++code) {
          CAPTURE(exponent);
          CAPTURE(code);
          const float expected = values[std::size_t(code * 32 + 5)], found = y[std::size_t(code)];
          if (!std::isfinite(expected)) {
            CHECK_FALSE(std::isfinite(found));
          } else if (std::fabs(expected) >= std::numeric_limits<float>::min()) {
            CHECK(found == expected);
          } else {
            CHECK(std::fabs(found) < std::numeric_limits<float>::min());  // AMX takes subnormal numbers for zero
          }
        }
      }
    }
  }
}

TEST_CASE("the terms of a row are rounded one after the other, and make it up") {
  Rng rng(35);
  for (const KernelTable* table : test::runnable_tables()) {
    if (!table->split_bf16) continue;
    for (const std::int64_t n : {1, 15, 16, 17, 96}) {
      const Exact<float> x = test::random_floats(std::size_t(n), rng);
      Exact<std::uint16_t> terms{std::size_t(kBf16Terms * n)};
      table->split_bf16(x.get(), n, terms.get(), n);
      for (std::int64_t k = 0; k < n; ++k) {
        float left = x[std::size_t(k)];
        for (int term = 0; term < kBf16Terms; ++term) {
          const std::uint16_t found = terms[std::size_t(term * n + k)];
          CHECK(found == f32_to_bf16(left));
          left -= bf16_to_f32(found);
        }
        CHECK(left == 0.0f);
      }
    }
  }
}

}  // namespace
}  // namespace fathom::kernels
