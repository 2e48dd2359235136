// Products with weights of every format by every table: right within the rounding of F32 sums, and the same bits however the
// call is cut into rows and columns.
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
using test::Factors;
using test::SampleMatrix;
using test::SampleQuantised;
using enum StorageFormat;

constexpr StorageFormat kQuantised[] = {q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4};

struct FloatCase {
  StorageFormat format;
  std::int64_t cols;
  Factors factors = Factors::none;
  std::int32_t tile_rows = 1, tile_cols = 1;
};

// Column counts around the widths of registers and tiles, odd tails where the format allows them.
std::vector<FloatCase> float_cases() {
  std::vector<FloatCase> cases;
  for (const StorageFormat format : {f32, f16, bf16, f8_e4m3}) {
    for (const std::int64_t cols : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 300, 1024}) {
      cases.push_back({format, cols});
    }
  }
  for (const Factors factors : {Factors::f32_tiles, Factors::e8m0_tiles}) {
    for (const std::int64_t cols : {1, 31, 100, 127, 128, 129, 255, 256, 383, 1024}) {
      cases.push_back({f8_e4m3, cols, factors, 128, 128});
      cases.push_back({f8_e4m3, cols, factors, 2, 32});
    }
    for (const std::int64_t cols : {32, 64, 96, 256, 480}) cases.push_back({f4_e2m1, cols, factors, 1, 32});
  }
  for (const std::int64_t cols : {2, 30, 64}) cases.push_back({f4_e2m1, cols});
  for (const std::int64_t cols : {32, 64, 96, 256, 480}) {
    cases.push_back({mxfp4, cols});
    cases.push_back({q8_0, cols});
  }
  return cases;
}

// The exact product and the sum of magnitudes that bounds how far rounding may lead away from it.
struct Exactly {
  double value = 0, magnitude = 0;
};

template <typename X>
Exactly product(const SampleMatrix& w, std::int64_t n, X&& x) {
  Exactly sum;
  for (std::int64_t k = 0; k < w.cols(); ++k) {
    const double value = w.value(n, k), offset = w.offset(n, k);
    sum.value += value * x(k);
    sum.magnitude += (std::fabs(value - offset) + std::fabs(offset)) * std::fabs(x(k));
  }
  return sum;
}

constexpr double kUnitRoundoff = 0x1p-24;

// y with `guard` columns on both sides of the rows of w, all set to a marker.
struct Output {
  static constexpr float kMarker = -12345.0f;
  static constexpr std::int64_t kGuard = 3;

  Output(std::int64_t m_, std::int64_t n_) : m(m_), n(n_), stride(n_ + 2 * kGuard), data(std::size_t(m_ * stride)) {
    for (std::size_t i = 0; i < data.size; ++i) data[i] = kMarker;
  }
  float* get() const { return data.get() + kGuard; }
  float at(std::int64_t i, std::int64_t c) const { return get()[i * stride + c]; }
  bool guards_hold() const {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t g = 0; g < kGuard; ++g) {
        if (data[std::size_t(i * stride + g)] != kMarker || data[std::size_t(i * stride + kGuard + n + g)] != kMarker)
          return false;
      }
    }
    return true;
  }
  bool operator==(const Output& other) const { return !std::memcmp(data.get(), other.data.get(), data.size * sizeof(float)); }

  std::int64_t m, n, stride;
  Exact<float> data;
};

TEST_CASE("floating products are right within the rounding of a sum of F32") {
  Rng rng(2);
  constexpr std::int64_t kRows = 7, kM = 5;
  for (const FloatCase& c : float_cases()) {
    const SampleMatrix w(c.format, kRows, c.cols, rng, c.factors, c.tile_rows, c.tile_cols);
    const Exact<float> x = test::random_floats(std::size_t(kM * c.cols), rng);
    for (const KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(c.format).name));
      CAPTURE(c.cols);
      REQUIRE(bool(table->matmul_f32[int(c.format)]));
      Output y(kM, kRows);
      table->matmul_f32[int(c.format)](w.view(), 0, kRows, x.get(), c.cols, kM, y.get(), y.stride);
      CHECK(y.guards_hold());
      for (std::int64_t i = 0; i < kM; ++i) {
        for (std::int64_t n = 0; n < kRows; ++n) {
          const Exactly exact = product(w, n, [&](std::int64_t k) { return double(x[std::size_t(i * c.cols + k)]); });
          // Every term passes through at most cols additions and the products with its factor.
          REQUIRE(std::fabs(y.at(i, n) - exact.value) <= double(c.cols + 8) * kUnitRoundoff * exact.magnitude);
        }
      }
    }
  }
}

TEST_CASE("products with 8-bit activations are right within the rounding of a sum of F32") {
  Rng rng(3);
  constexpr std::int64_t kRows = 5, kM = 5;
  for (const StorageFormat format : kQuantised) {
    const std::int64_t block = storage_layout(format).block_values;
    for (const std::int64_t blocks : {1, 2, 3, 4, 5, 8, 17}) {
      const std::int64_t cols = blocks * block;
      const SampleMatrix w(format, kRows, cols, rng);
      const SampleQuantised x(test::random_floats(std::size_t(kM * cols), rng), kM, cols);
      for (const KernelTable* table : test::runnable_tables()) {
        CAPTURE(std::string(table->name));
        CAPTURE(std::string(storage_layout(format).name));
        CAPTURE(cols);
        REQUIRE(bool(table->matmul_q8[int(format)]));
        Output y(kM, kRows);
        table->matmul_q8[int(format)](w.view(), 0, kRows, x.view(), kM, y.get(), y.stride);
        CHECK(y.guards_hold());
        for (std::int64_t i = 0; i < kM; ++i) {
          for (std::int64_t n = 0; n < kRows; ++n) {
            const Exactly exact = product(w, n, [&](std::int64_t k) { return double(x.value(i, k)); });
            // Integer sums of 16 are exact; each, and each offset, is one more addition, besides the products with factors.
            REQUIRE(std::fabs(y.at(i, n) - exact.value) <= double(cols / 8 + 16) * kUnitRoundoff * exact.magnitude);
          }
        }
      }
    }
  }
}

TEST_CASE("8-bit products of extreme codes do not saturate") {
  for (const StorageFormat format : kQuantised) {
    const StorageLayout& layout = storage_layout(format);
    const test::BlockFields& fields = *test::block_fields(format);
    const std::int64_t cols = layout.block_values;
    for (const std::uint8_t code_byte : {0x00, 0x7f, 0x80, 0x81, 0xff}) {
      Exact<std::byte> bytes(layout.block_bytes);
      std::memset(bytes.get(), code_byte, bytes.size);
      if (fields.d >= 0) test::put_f16(bytes.get() + fields.d, 1.0f);
      if (fields.m >= 0) test::put_f16(bytes.get() + fields.m, 1.0f);
      if (fields.exponent >= 0) bytes[std::size_t(fields.exponent)] = std::byte(127);
      WeightRows w;
      w.data = reinterpret_cast<const std::uint8_t*>(bytes.get());
      w.row_bytes = layout.block_bytes;
      w.cols = cols;
      std::vector<float> values(std::size_t(cols), 0.0f);
      quant::decode(format, {bytes.get(), bytes.size}, values);
      for (const float extreme : {127.0f, -127.0f}) {
        Exact<float> ones{std::size_t(cols)};
        for (std::size_t k = 0; k < ones.size; ++k) ones[k] = extreme;  // scale 1, codes of +-127
        const SampleQuantised x(ones, 1, cols);
        double expected = 0, magnitude = 0;
        for (const float value : values) {
          expected += double(value) * extreme;
          magnitude += std::fabs(double(value) * extreme);
        }
        for (const KernelTable* table : test::runnable_tables()) {
          CAPTURE(std::string(table->name));
          CAPTURE(std::string(layout.name));
          float y = 0;
          table->matmul_q8[int(format)](w, 0, 1, x.view(), 1, &y, 1);
          // Offsets are at most as large as codes times factors here, so 4 covers both parts of every value.
          CHECK(std::fabs(y - expected) <= double(cols / 8 + 16) * kUnitRoundoff * (4 * magnitude + 1e6));
        }
      }
    }
  }
}

TEST_CASE("an FP8 NaN code reaches the product") {
  for (const KernelTable* table : test::runnable_tables()) {
    for (const std::uint8_t code : {0x7f, 0xff}) {
      for (const std::size_t at : {0u, 20u, 40u}) {
        Exact<std::uint8_t> bytes(41);
        bytes[at] = code;
        Exact<float> x(41);
        WeightRows w;
        w.data = bytes.get();
        w.row_bytes = w.cols = 41;
        float y = 0;
        table->matmul_f32[kF8_E4M3](w, 0, 1, x.get(), 41, 1, &y, 1);
        CHECK(std::isnan(y));
      }
    }
  }
}

// Calls product(first_row, last_row, first_x, m, y) for every row of x alone, and for columns cut in several ways.
template <typename Product>
void check_cuts(std::int64_t rows, std::int64_t m, Product&& call) {
  Output whole(m, rows);
  call(0, rows, 0, m, whole);
  Output by_row(m, rows);
  for (std::int64_t i = 0; i < m; ++i) call(0, rows, i, 1, by_row);
  CHECK(by_row == whole);
  for (const std::int64_t step : {1, 2, 3, 5}) {
    Output by_column(m, rows);
    for (std::int64_t n = 0; n < rows; n += step) call(n, std::min(n + step, rows), 0, m, by_column);
    CHECK(by_column == whole);
  }
}

TEST_CASE("a floating product has the same bits however its rows and columns are cut") {
  Rng rng(4);
  constexpr std::int64_t kRows = 11, kMaxM = 9;
  for (const FloatCase& c : float_cases()) {
    if (c.cols < 17) continue;
    const SampleMatrix w(c.format, kRows, c.cols, rng, c.factors, c.tile_rows, c.tile_cols);
    const Exact<float> x = test::random_floats(std::size_t(kMaxM * c.cols), rng);
    for (const KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(c.format).name));
      for (std::int64_t m = 1; m <= kMaxM; ++m) {
        check_cuts(kRows, m, [&](std::int64_t first, std::int64_t last, std::int64_t i, std::int64_t count, Output& y) {
          table->matmul_f32[int(c.format)](w.view(), first, last, x.get() + i * c.cols, c.cols, count, y.get() + i * y.stride,
                                           y.stride);
        });
      }
    }
  }
}

TEST_CASE("an 8-bit product has the same bits however its rows and columns are cut") {
  Rng rng(5);
  constexpr std::int64_t kRows = 11, kMaxM = 9;
  for (const StorageFormat format : kQuantised) {
    for (const std::int64_t blocks : {1, 3, 6}) {
      const std::int64_t cols = blocks * storage_layout(format).block_values;
      const SampleMatrix w(format, kRows, cols, rng);
      const SampleQuantised x(test::random_floats(std::size_t(kMaxM * cols), rng), kMaxM, cols);
      for (const KernelTable* table : test::runnable_tables()) {
        CAPTURE(std::string(table->name));
        CAPTURE(std::string(storage_layout(format).name));
        for (std::int64_t m = 1; m <= kMaxM; ++m) {
          check_cuts(kRows, m, [&](std::int64_t first, std::int64_t last, std::int64_t i, std::int64_t count, Output& y) {
            table->matmul_q8[int(format)](w.view(), first, last, x.view(i), count, y.get() + i * y.stride, y.stride);
          });
        }
      }
    }
  }
}

TEST_CASE("a product of no rows or no columns writes nothing") {
  Rng rng(6);
  const SampleMatrix w(q4_0, 2, 64, rng);
  const Exact<float> x = test::random_floats(64, rng);
  const SampleQuantised quantised(x, 1, 64);
  for (const KernelTable* table : test::runnable_tables()) {
    Output y(1, 2), untouched(1, 2);
    table->matmul_q8[kQ4_0](w.view(), 0, 2, quantised.view(), 0, y.get(), y.stride);
    table->matmul_q8[kQ4_0](w.view(), 1, 1, quantised.view(), 1, y.get(), y.stride);
    CHECK(y == untouched);
  }
}

}  // namespace
}  // namespace fathom::kernels
