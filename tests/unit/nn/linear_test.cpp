#include "nn/linear.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/check_error.hpp"
#include "unit/kernels/sample_matrix.hpp"

using namespace fathom;
using nn::Linear;
using test::Exact;
using test::SampleMatrix;

namespace {

// Answers every product with a number of its own, and remembers what it was asked.
class MarkingBackend final : public GemmBackend {
 public:
  explicit MarkingBackend(float mark) : mark_(mark) {}
  const char* name() const noexcept override { return "marking"; }
  bool accepts(const WeightView&) const noexcept override { return willing; }
  ActivationForm reads(StorageFormat) const noexcept override { return ActivationForm::f32; }
  std::unique_ptr<PackedMatrix> pack(const WeightView& weights, std::int64_t max_rows, Allocator&) const override {
    packed_for = max_rows;
    return std::make_unique<PackedMatrix>(weights);
  }
  std::size_t scratch_bytes(const PackedMatrix&, std::int64_t rows) const noexcept override { return std::size_t(rows) * 10; }
  void multiply(const Activations& x, const PackedMatrix&, Matrix<float> y, std::int64_t first, std::int64_t last,
                std::span<std::byte>) const noexcept override {
    for (std::int64_t i = 0; i < x.rows(); ++i) std::fill(y.row(i) + first, y.row(i) + last, mark_);
  }

  bool willing = true;
  mutable std::int64_t packed_for = 0;

 private:
  float mark_;
};

constexpr std::int64_t kOut = 12, kIn = 8;

struct Fixture {
  Fixture() : sample(StorageFormat::f32, kOut, kIn, rng), view{StorageFormat::f32, kOut, kIn, sample.view()} {}

  float first_result(const Linear& linear, std::int64_t rows) const {
    Exact<float> x(std::size_t(rows * kIn)), y(std::size_t(rows * kOut));
    linear.multiply({{x.get(), rows, kIn}, {}, {}}, {y.get(), rows, kOut}, 0, kOut, {});
    return y[std::size_t(rows * kOut - 1)];
  }

  Rng rng{1};
  SampleMatrix sample;
  WeightView view;
  MarkingBackend few{1.0f}, many{2.0f};
};

}  // namespace

TEST_CASE("a linear layer adds its bias to the columns it was asked for, and touches no others") {
  Fixture f;
  const auto native = make_native_backend(*kernels::scalar_table());
  Exact<float> bias(kOut), y(3 * kOut);
  for (std::int64_t n = 0; n < kOut; ++n) bias[std::size_t(n)] = float(n) * 0.25f;
  const Exact<float> x = test::random_floats(3 * kIn, f.rng);
  const Linear linear(f.view, bias.get(), *native, nullptr, 0, 3, heap_allocator());
  CHECK(linear.out() == kOut);
  CHECK(linear.in() == kIn);
  std::fill_n(y.get(), y.size, -99.0f);
  linear.multiply({{x.get(), 3, kIn}, {}, {}}, {y.get(), 3, kOut}, 2, 7, {});
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t n = 0; n < kOut; ++n) {
      double expected = double(bias[std::size_t(n)]), magnitude = expected;
      for (std::int64_t k = 0; k < kIn; ++k) {
        const double term = double(f.sample.value(n, k)) * double(x[std::size_t(i * kIn + k)]);
        expected += term;
        magnitude += std::fabs(term);
      }
      const float found = y[std::size_t(i * kOut + n)];
      if (n < 2 || n >= 7) {
        CHECK(found == -99.0f);
      } else {
        CHECK(std::fabs(double(found) - expected) <= (kIn + 2) * 0x1p-24 * magnitude);
      }
    }
  }
}

TEST_CASE("the back end for many rows takes over at its row count, not before") {
  Fixture f;
  const Linear linear(f.view, nullptr, f.few, &f.many, 16, 64, heap_allocator());
  CHECK(f.first_result(linear, 1) == 1.0f);
  CHECK(f.first_result(linear, 15) == 1.0f);
  CHECK(f.first_result(linear, 16) == 2.0f);
  CHECK(f.first_result(linear, 64) == 2.0f);
  CHECK(f.many.packed_for == 64);
  CHECK(linear.scratch_bytes(64) == 640);
}

TEST_CASE("the back end for many rows is not packed where it never could serve") {
  Fixture f;
  SUBCASE("too few rows will ever come") {}
  SUBCASE("it does not take the matrix") { f.many.willing = false; }
  const Linear linear(f.view, nullptr, f.few, &f.many, 16, f.many.willing ? 15 : 64, heap_allocator());
  CHECK(f.many.packed_for == 0);
  CHECK(f.first_result(linear, 32) == 1.0f);
}

TEST_CASE("a matrix that the back end refuses is refused by name, with its shape and format") {
  Fixture f;
  f.few.willing = false;
  test::check_error(Status::unsupported, {"[12, 8]", "F32", "marking"},
                    [&] { Linear(f.view, nullptr, f.few, nullptr, 0, 1, heap_allocator()); });
}

TEST_CASE("a layer that was never loaded says so") { CHECK_FALSE(bool(Linear())); }
