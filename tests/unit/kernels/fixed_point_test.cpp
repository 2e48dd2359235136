// Fixed point for attention to latents: against double, and the same bits from every table that has it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;

// Rows of halves, as a cache keeps them: `stride` halves apart, nothing behind the last.
class Latents {
 public:
  Latents(std::int64_t rows, std::int64_t shared, std::int64_t cols, Rng& rng)
      : rows_(rows), shared_(shared), halves_(std::size_t(rows * cols)) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const float shared_size = std::ldexp(1.0f, int(rng.next() % 12) - 6),
                  other_size = std::ldexp(1.0f, int(rng.next() % 12) - 6);
      for (std::int64_t k = 0; k < cols; ++k)
        set(row, k, cols, test::uniform(rng, -1.0f, 1.0f) * (k < shared ? shared_size : other_size));
    }
    view_.cols = cols;
    view_.row_bytes = 2 * cols;
    view_.data = reinterpret_cast<const std::uint8_t*>(halves_.get());
  }

  const WeightRows& view() const { return view_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t shared() const { return shared_; }
  std::int64_t cols() const { return view_.cols; }
  float value(std::int64_t row, std::int64_t k) const { return f16_to_f32(halves_[std::size_t(row * cols() + k)]); }
  void set(std::int64_t row, std::int64_t k, float value) const { set(row, k, cols(), value); }
  double largest(std::int64_t row, std::int64_t first, std::int64_t last) const {
    double most = 0.0;
    for (std::int64_t k = first; k < last; ++k) most = std::max(most, std::fabs(double(value(row, k))));
    return most;
  }

 private:
  void set(std::int64_t row, std::int64_t k, std::int64_t cols, float value) const {
    halves_[std::size_t(row * cols + k)] = f32_to_f16(value);
  }

  std::int64_t rows_, shared_;
  Exact<std::uint16_t> halves_;
  WeightRows view_;
};

struct Fixed {
  Fixed(std::int64_t m, std::int64_t parts, std::int64_t cols)
      : integers(std::size_t(m * cols)), scales(std::size_t(m * parts)) {}
  Exact<std::int16_t> integers;
  Exact<float> scales;
};

Fixed fix_queries(const KernelTable& table, const Exact<float>& x, std::int64_t m, std::int64_t shared, std::int64_t cols) {
  Fixed fixed(m, 2, cols);
  for (std::int64_t i = 0; i < m; ++i) {
    const float* row = x.get() + i * cols;
    std::int16_t* out = fixed.integers.get() + i * cols;
    fixed.scales[std::size_t(2 * i)] = table.fixed_point.fix_row(row, nullptr, shared, kFixedLimit, out);
    fixed.scales[std::size_t(2 * i + 1)] =
        table.fixed_point.fix_row(row + shared, nullptr, cols - shared, kFixedLimit, out + shared);
  }
  return fixed;
}

struct Scores {
  Exact<float> scales{std::size_t(kFixedRows)};
  Exact<float> y;
};

Scores products(const KernelTable& table, const Latents& latents, const Fixed& queries, std::int64_t first, std::int64_t m) {
  Scores scores{.y = Exact<float>(std::size_t(m * kFixedRows))};
  table.fixed_point.products(latents.view(), latents.rows(), latents.shared(), queries.integers.get() + first * latents.cols(),
                             queries.scales.get() + 2 * first, m, scores.scales.get(), scores.y.get());
  return scores;
}

Exact<float> sums(const KernelTable& table, const Latents& latents, const Exact<float>& scales, const Fixed& weights,
                  std::int64_t first, std::int64_t m) {
  Exact<float> out(std::size_t(m * latents.shared()));
  std::fill_n(out.get(), out.size, 0.25f);
  table.fixed_point.sums(latents.view(), latents.rows(), latents.shared(), scales.get(),
                         weights.integers.get() + first * kFixedRows, weights.scales.get() + first, m, nullptr, out.get(),
                         latents.shared());
  return out;
}

Fixed fix_weights(const KernelTable& table, const Exact<float>& p, const Exact<float>& factors, std::int64_t m) {
  Fixed fixed(m, 1, kFixedRows);
  for (std::int64_t i = 0; i < m; ++i) {
    fixed.scales[std::size_t(i)] = table.fixed_point.fix_row(p.get() + i * kFixedRows, factors.get(), kFixedRows,
                                                             kFixedWeightLimit, fixed.integers.get() + i * kFixedRows);
  }
  return fixed;
}

// Probabilities, as the softmax makes them: none above 1, none behind the rows.
Exact<float> random_weights(std::int64_t m, std::int64_t rows, Rng& rng) {
  Exact<float> p(std::size_t(m * kFixedRows));
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t n = 0; n < rows; ++n) p[std::size_t(i * kFixedRows + n)] = test::uniform(rng, 0.0f, 1.0f);
  }
  return p;
}

template <typename T>
bool same_bits(const Exact<T>& a, const Exact<T>& b) {
  return a.size == b.size && std::memcmp(a.get(), b.get(), a.size * sizeof(T)) == 0;
}

std::vector<const KernelTable*> tables_with_fixed_point() {
  std::vector<const KernelTable*> tables = test::runnable_tables();
  std::erase_if(tables, [](const KernelTable* table) { return table->fixed_point.products == nullptr; });
  return tables;
}

struct Shape {
  std::int64_t rows, shared, cols, m;
};
constexpr Shape kShapes[] = {{64, 512, 576, 16}, {64, 512, 1024, 2}, {1, 16, 16, 1},    {15, 32, 48, 3},
                             {16, 32, 48, 4},    {17, 48, 64, 5},    {33, 128, 160, 7}, {63, 16, 144, 9},
                             {64, 0, 32, 2},     {64, 80, 176, 17},  {38, 64, 128, 32}, {5, 112, 128, 50}};

TEST_CASE("products are those of numbers rounded to 12 bits") {
  Rng rng(21);
  for (const Shape& s : kShapes) {
    const Latents latents(s.rows, s.shared, s.cols, rng);
    const Exact<float> x = test::random_floats(std::size_t(s.m * s.cols), rng);
    for (const KernelTable* table : tables_with_fixed_point()) {
      CAPTURE(std::string(table->name));
      CAPTURE(s.cols);
      const Scores scores = products(*table, latents, fix_queries(*table, x, s.m, s.shared, s.cols), 0, s.m);
      for (std::int64_t i = 0; i < s.m; ++i) {
        for (std::int64_t n = 0; n < kFixedRows; ++n) {
          double exact = 0.0, bound = 0.0;
          // Either factor is off by half a step, its part's largest value / 2047 / 2, and 2^-20 for the arithmetic.
          for (const auto& [first, last] : {std::pair{std::int64_t{0}, s.shared}, std::pair{s.shared, s.cols}}) {
            if (n >= s.rows) continue;
            double largest_x = 0.0;
            for (std::int64_t k = first; k < last; ++k)
              largest_x = std::max(largest_x, std::fabs(double(x[std::size_t(i * s.cols + k)])));
            const double step_x = largest_x / kFixedLimit * 0.5001,
                         step_n = latents.largest(n, first, last) / kFixedLimit * 0.5001;
            for (std::int64_t k = first; k < last; ++k) {
              const double a = x[std::size_t(i * s.cols + k)], b = latents.value(n, k);
              exact += a * b;
              bound += std::fabs(a) * step_n + std::fabs(b) * step_x + step_x * step_n + 0x1p-20 * std::fabs(a * b);
            }
          }
          REQUIRE(std::fabs(scores.y[std::size_t(i * kFixedRows + n)] - exact) <= bound);
        }
      }
    }
  }
}

TEST_CASE("sums are those of latents rounded to 12 bits and weights rounded to 15") {
  Rng rng(22);
  for (const Shape& s : kShapes) {
    const Latents latents(s.rows, s.shared, s.cols, rng);
    const Exact<float> p = random_weights(s.m, s.rows, rng);
    for (const KernelTable* table : tables_with_fixed_point()) {
      CAPTURE(std::string(table->name));
      CAPTURE(s.cols);
      const Fixed no_queries(0, 2, s.cols);
      const Exact<float> scales = products(*table, latents, no_queries, 0, 0).scales;
      const Exact<float> out = sums(*table, latents, scales, fix_weights(*table, p, scales, s.m), 0, s.m);
      for (std::int64_t i = 0; i < s.m; ++i) {
        double most = 0.0;
        for (std::int64_t n = 0; n < s.rows; ++n) {
          most = std::max(most, double(p[std::size_t(i * kFixedRows + n)]) * latents.largest(n, 0, s.shared) / kFixedLimit);
        }
        for (std::int64_t k = 0; k < s.shared; ++k) {
          double exact = 0.25, bound = 0x1p-20;
          for (std::int64_t n = 0; n < s.rows; ++n) {
            const double weight = p[std::size_t(i * kFixedRows + n)], step = latents.largest(n, 0, s.shared) / kFixedLimit;
            exact += weight * latents.value(n, k);
            // the value's half step, and the weight's times the value's integer
            bound += weight * step * 0.5001 + most / kFixedWeightLimit * 0.5001 * (kFixedLimit + 1);
          }
          REQUIRE(std::fabs(out[std::size_t(i * s.shared + k)] - exact) <= bound);
        }
      }
    }
  }
}

TEST_CASE("all tables give the bits of the scalar one") {
  Rng rng(23);
  const KernelTable& scalar = *scalar_table();
  for (const Shape& s : kShapes) {
    const Latents latents(s.rows, s.shared, s.cols, rng);
    const Exact<float> x = test::random_floats(std::size_t(s.m * s.cols), rng), p = random_weights(s.m, s.rows, rng);
    const Fixed queries = fix_queries(scalar, x, s.m, s.shared, s.cols);
    const Scores scores = products(scalar, latents, queries, 0, s.m);
    const Fixed weights = fix_weights(scalar, p, scores.scales, s.m);
    const Exact<float> out = sums(scalar, latents, scores.scales, weights, 0, s.m);
    for (const KernelTable* table : tables_with_fixed_point()) {
      CAPTURE(std::string(table->name));
      CAPTURE(s.cols);
      const Fixed other_queries = fix_queries(*table, x, s.m, s.shared, s.cols);
      CHECK(same_bits(other_queries.integers, queries.integers));
      CHECK(same_bits(other_queries.scales, queries.scales));
      const Scores other_scores = products(*table, latents, queries, 0, s.m);
      CHECK(same_bits(other_scores.scales, scores.scales));
      CHECK(same_bits(other_scores.y, scores.y));
      const Fixed other_weights = fix_weights(*table, p, scores.scales, s.m);
      CHECK(same_bits(other_weights.integers, weights.integers));
      CHECK(same_bits(other_weights.scales, weights.scales));
      CHECK(same_bits(sums(*table, latents, scores.scales, weights, 0, s.m), out));
    }
  }
}

TEST_CASE("a query's bits do not depend on those it shares a call with") {
  Rng rng(24);
  constexpr Shape s{64, 48, 64, 11};
  const Latents latents(s.rows, s.shared, s.cols, rng);
  const Exact<float> x = test::random_floats(std::size_t(s.m * s.cols), rng), p = random_weights(s.m, s.rows, rng);
  for (const KernelTable* table : tables_with_fixed_point()) {
    CAPTURE(std::string(table->name));
    const Fixed queries = fix_queries(*table, x, s.m, s.shared, s.cols);
    const Scores together = products(*table, latents, queries, 0, s.m);
    const Fixed weights = fix_weights(*table, p, together.scales, s.m);
    const Exact<float> out = sums(*table, latents, together.scales, weights, 0, s.m);
    for (std::int64_t m = 1; m <= 4; ++m) {
      for (std::int64_t first = 0; first + m <= s.m; ++first) {
        CHECK(std::memcmp(products(*table, latents, queries, first, m).y.get(), together.y.get() + first * kFixedRows,
                          std::size_t(m * kFixedRows) * sizeof(float)) == 0);
        CHECK(std::memcmp(sums(*table, latents, together.scales, weights, first, m).get(), out.get() + first * s.shared,
                          std::size_t(m * s.shared) * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("the largest integers everywhere do not overflow") {
  Rng rng(25);
  const Latents latents(64, 512, 1024, rng);
  for (std::int64_t row = 0; row < 64; ++row) {
    for (std::int64_t k = 0; k < 1024; ++k) latents.set(row, k, row % 2 ? -65504.0f : 65504.0f);
  }
  Exact<float> x(1024), p{std::size_t(kFixedRows)};
  std::fill_n(x.get(), x.size, 3.0f);
  for (const bool all : {false, true}) {
    for (std::int64_t n = 0; n < kFixedRows; ++n) p[std::size_t(n)] = all || n % 2 == 0 ? 1.0f : 0.0f;
    for (const KernelTable* table : tables_with_fixed_point()) {
      CAPTURE(std::string(table->name));
      const Scores scores = products(*table, latents, fix_queries(*table, x, 1, 512, 1024), 0, 1);
      for (std::int64_t n = 0; n < kFixedRows; ++n) {
        CHECK(scores.y[std::size_t(n)] == doctest::Approx((n % 2 ? -1.0 : 1.0) * 1024 * 3.0 * 65504.0));
      }
      const Exact<float> out = sums(*table, latents, scores.scales, fix_weights(*table, p, scores.scales, 1), 0, 1);
      for (std::int64_t k = 0; k < 512; ++k) {
        REQUIRE(out[std::size_t(k)] == doctest::Approx(0.25 + (all ? 0.0 : 32 * 65504.0)));
      }
    }
  }
}

TEST_CASE("what is not finite becomes NaN, in its own row only, and small numbers become zero") {
  Rng rng(26);
  const Latents latents(64, 32, 48, rng);
  latents.set(3, 5, INFINITY);
  latents.set(7, 40, NAN);
  for (std::int64_t k = 0; k < 48; ++k) latents.set(9, k, 0.0f);
  Exact<float> x = test::random_floats(3 * 48, rng);
  x[48 + 11] = NAN;
  for (std::size_t k = 2 * 48; k < 3 * 48; ++k) x[k] = 0x1p-120f;
  for (const KernelTable* table : tables_with_fixed_point()) {
    CAPTURE(std::string(table->name));
    const Scores scores = products(*table, latents, fix_queries(*table, x, 3, 32, 48), 0, 3);
    for (std::int64_t n = 0; n < kFixedRows; ++n) {
      const bool broken = n == 3 || n == 7;
      CHECK(std::isnan(scores.y[std::size_t(n)]) == broken);
      CHECK(std::isnan(scores.y[std::size_t(kFixedRows + n)]));
      CHECK((broken || scores.y[std::size_t(2 * kFixedRows + n)] == 0.0f));
    }
    CHECK(scores.y[9] == 0.0f);
    CHECK(std::isnan(scores.scales[3]));
    CHECK(std::isfinite(scores.scales[7]));  // its values are numbers
    Exact<float> p(2 * std::size_t(kFixedRows));
    p[0] = p[std::size_t(kFixedRows)] = 1.0f;
    p[3] = 0.5f;
    const Fixed weights = fix_weights(*table, p, scores.scales, 2);
    CHECK(std::isnan(weights.scales[0]));
    const Exact<float> out = sums(*table, latents, scores.scales, weights, 0, 2);
    for (std::int64_t k = 0; k < 32; ++k) CHECK(std::isnan(out[std::size_t(k)]));
  }
}

}  // namespace
}  // namespace fathom::kernels
