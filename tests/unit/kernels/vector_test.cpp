// Operations on vectors by every table: those that make stored bits agree exactly, the others within their rounding.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::random_floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kUnitRoundoff = 0x1p-24;
constexpr std::size_t kSizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1023, 4096};

template <typename T>
bool same_bits(const Exact<T>& a, const Exact<T>& b) {
  return a.size == b.size && !std::memcmp(a.get(), b.get(), a.size * sizeof(T));
}

Exact<float> copy_of(const Exact<float>& values) {
  Exact<float> copy(values.size);
  std::memcpy(copy.get(), values.get(), values.size * sizeof(float));
  return copy;
}

// For every runnable table and size.
template <typename Check>
void for_each(Check&& check) {
  Rng rng(11);
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    for (const std::size_t n : kSizes) {
      CAPTURE(n);
      check(*table, n, rng);
    }
  }
}

struct Quantised {
  explicit Quantised(std::size_t n) : values(n), scales(n / 32), sums(n / 16) {}
  Exact<std::int8_t> values;
  Exact<float> scales;
  Exact<std::int16_t> sums;
};

Quantised quantise(const KernelTable& table, const Exact<float>& x) {
  Quantised q(x.size);
  table.quantise_row(x.get(), std::int64_t(x.size), q.values.get(), q.scales.get(), q.sums.get());
  return q;
}

// Blocks that meet every branch: normal, zero, ties, one value only, huge, subnormal.
Exact<float> blocks_to_quantise(Rng& rng) {
  Exact<float> x(32 * 40);
  for (std::size_t b = 0; b < 40; ++b) {
    const float magnitude = std::ldexp(1.0f, int(rng.next() % 40) - 20);
    for (std::size_t k = 32 * b; k < 32 * b + 32; ++k) x[k] = test::uniform(rng, -magnitude, magnitude);
  }
  for (std::size_t k = 0; k < 32; ++k) {
    x[k] = 0.0f;
    x[32 + k] = float(k) - 15.5f;  // with the largest set to 127: ties
    x[64 + k] = k == 13 ? -3.0f : 0.0f;
    x[96 + k] = k % 2 ? 3e38f : -1e38f;
    x[128 + k] = 1e-42f * float(k);
    x[160 + k] = k == 31 ? 127.0f * 0x1p-126f : float(k) * 0x1p-126f;  // the smallest scale that counts
    x[192 + k] = k % 2 ? -0.0f : 0.0f;
  }
  x[32] = 127.0f;
  return x;
}

TEST_CASE("quantised rows have the same bits in every table") {
  Rng rng(12);
  const Exact<float> x = blocks_to_quantise(rng);
  const Quantised expected = quantise(*scalar_table(), x);
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    const Quantised q = quantise(*table, x);
    CHECK(same_bits(q.values, expected.values));
    CHECK(same_bits(q.scales, expected.scales));
    CHECK(same_bits(q.sums, expected.sums));
  }
}

TEST_CASE("quantised values lie within half a step, and sums are sums of them") {
  Rng rng(13);
  const Exact<float> x = blocks_to_quantise(rng);
  const Quantised q = quantise(*scalar_table(), x);
  for (std::size_t b = 0; b < x.size / 32; ++b) {
    float largest = 0.0f;
    for (std::size_t k = 32 * b; k < 32 * b + 32; ++k) largest = std::max(largest, std::fabs(x[k]));
    const float scale = largest / 127.0f;
    CHECK(q.scales[b] == (scale < 0x1p-126f ? 0.0f : scale));
    for (std::size_t k = 32 * b; k < 32 * b + 32; ++k) {
      // Half a step, and the rounding of scale, inverse and product, each relative to at most 127 steps.
      const double step = q.scales[b] == 0.0f ? 127 * 0x1p-125 : q.scales[b];
      REQUIRE(std::fabs(x[k] - double(q.values[k]) * q.scales[b]) <= step * (0.5 + 127 * 3 * kUnitRoundoff));
    }
  }
  for (std::size_t g = 0; g < x.size / 16; ++g) {
    int sum = 0;
    for (std::size_t k = 16 * g; k < 16 * g + 16; ++k) sum += q.values[k];
    REQUIRE(q.sums[g] == sum);
  }
  CHECK(q.values[32] == 127);
  CHECK(q.values[33] == -14);  // -14.5, to even
  CHECK(q.values[34] == -14);  // -13.5, to even
}

// All values whose rounding is delicate: each half's and bfloat's neighbourhood comes by way of random bits.
Exact<float> any_floats(std::size_t n, Rng& rng) {
  Exact<float> x(n);
  for (std::size_t k = 0; k < n; ++k) x[k] = std::bit_cast<float>(std::uint32_t(rng.next()));
  constexpr float kOdd[] = {0.0f,      -0.0f,    kInfinity, -kInfinity, kNan,     65504.0f,     65519.996f, 65520.0f,
                            -65536.0f, 0x1p-24f, 0x1p-25f,  0x1.8p-25f, 0x1p-14f, 0x1.ffcp-15f, 3.4e38f,    1e-45f};
  for (std::size_t k = 0; k < n && k < std::size(kOdd); ++k) x[k] = kOdd[k];
  return x;
}

bool both_nan_f16(std::uint16_t a, std::uint16_t b) { return (a & 0x7fff) > 0x7c00 && (b & 0x7fff) > 0x7c00; }

TEST_CASE("narrowing to F16 has the same bits in every table") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    Exact<float> x = any_floats(n, rng);
    for (std::size_t k = 16; k < n; ++k) {  // of random bits few are in the range of F16: give them an exponent near it
      x[k] = std::copysign(std::ldexp(1.0f + float(rng.uniform()), int(rng.next() % 48) - 28), x[k]);
    }
    const Exact<std::uint16_t> out(n), expected(n);
    table.f32_to_f16(x.get(), std::int64_t(n), out.get());
    scalar_table()->f32_to_f16(x.get(), std::int64_t(n), expected.get());
    for (std::size_t k = 0; k < n; ++k) REQUIRE((out[k] == expected[k] || both_nan_f16(out[k], expected[k])));
  });
}

TEST_CASE("narrowing to BF16 has the same bits in every table") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    const Exact<float> x = any_floats(n, rng);
    const Exact<std::uint16_t> out(n), expected(n);
    table.f32_to_bf16(x.get(), std::int64_t(n), out.get());
    scalar_table()->f32_to_bf16(x.get(), std::int64_t(n), expected.get());
    for (std::size_t k = 0; k < n; ++k)
      REQUIRE((out[k] == expected[k] || (std::isnan(x[k]) && std::isnan(bf16_to_f32(out[k])))));
  });
}

TEST_CASE("RMS norm divides by the root of the mean square") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    const Exact<float> x = random_floats(n, rng), weight = random_floats(n, rng), y(n);
    double squares = 0;
    for (std::size_t k = 0; k < n; ++k) squares += double(x[k]) * x[k];
    const double factor = 1.0 / std::sqrt(squares / double(n) + 1e-6);
    // The sum of squares may be off by n roundings, its root by half of them; a few more for the rest.
    const double tolerance = (double(n) / 2 + 6) * kUnitRoundoff;
    for (const float* w : {static_cast<const float*>(weight.get()), static_cast<const float*>(nullptr)}) {
      table.rms_norm(x.get(), w, 1e-6f, std::int64_t(n), y.get());
      for (std::size_t k = 0; k < n; ++k) {
        const double expected = x[k] * factor * (w ? w[k] : 1.0f);
        REQUIRE(std::fabs(y[k] - expected) <= tolerance * std::fabs(expected));
      }
    }
    const Exact<float> in_place = copy_of(x);
    table.rms_norm(x.get(), weight.get(), 1e-6f, std::int64_t(n), y.get());
    table.rms_norm(in_place.get(), weight.get(), 1e-6f, std::int64_t(n), in_place.get());
    CHECK(same_bits(in_place, y));
  });
}

TEST_CASE("add, axpy and scale do what they say") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    const Exact<float> x = random_floats(n, rng), y = random_floats(n, rng);
    const Exact<float> sum = copy_of(x), weighted = copy_of(y), scaled = copy_of(x);
    table.add(sum.get(), y.get(), std::int64_t(n));
    table.axpy(0.37f, x.get(), weighted.get(), std::int64_t(n));
    table.scale(-1.5f, scaled.get(), std::int64_t(n));
    for (std::size_t k = 0; k < n; ++k) {
      REQUIRE(sum[k] == x[k] + y[k]);
      REQUIRE(scaled[k] == x[k] * -1.5f);
      const double exact = double(0.37f) * x[k] + y[k];
      REQUIRE(std::fabs(weighted[k] - exact) <= kUnitRoundoff * (std::fabs(0.37 * x[k]) * 2 + std::fabs(y[k])));
    }
  });
}

double silu(double g, double slope = 1.0) { return g / (1.0 + std::exp(-slope * g)); }

// exp within 2e-7, then a sum, a quotient and two products.
constexpr double kGateTolerance = 2e-7 + 8 * kUnitRoundoff;

TEST_CASE("gated activations are right, in place too") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    Exact<float> gate = random_floats(n, rng);
    for (std::size_t k = 0; k < n; ++k) gate[k] *= 6.0f;
    const Exact<float> up = random_floats(n, rng), y(n);
    const std::int64_t count = std::int64_t(n);

    table.silu_mul(gate.get(), up.get(), y.get(), count);
    for (std::size_t k = 0; k < n; ++k) {
      const double expected = silu(gate[k]) * up[k];
      REQUIRE(std::fabs(y[k] - expected) <= kGateTolerance * std::fabs(expected));
    }
    const Exact<float> over_gate = copy_of(gate), over_up = copy_of(up);
    table.silu_mul(over_gate.get(), up.get(), over_gate.get(), count);
    table.silu_mul(gate.get(), over_up.get(), over_up.get(), count);
    CHECK(same_bits(over_gate, y));
    CHECK(same_bits(over_up, y));

    constexpr float kLimit = 1.25f;
    table.silu_mul_clamped(gate.get(), up.get(), kLimit, y.get(), count);
    for (std::size_t k = 0; k < n; ++k) {
      const double expected = silu(std::min(gate[k], kLimit)) * std::clamp(up[k], -kLimit, kLimit);
      REQUIRE(std::fabs(y[k] - expected) <= kGateTolerance * std::fabs(expected));
    }
    table.swiglu_oai(gate.get(), up.get(), kLimit, y.get(), count);
    for (std::size_t k = 0; k < n; ++k) {
      const double g = silu(std::min(gate[k], kLimit), 1.702), u = std::clamp(up[k], -kLimit, kLimit);
      // 1.702 * g is rounded before exp makes its absolute error a relative one.
      const double tolerance = kGateTolerance + 2 * kUnitRoundoff * std::fabs(1.702 * gate[k]);
      REQUIRE(std::fabs(y[k] - g * (u + 1.0)) <= (tolerance + kUnitRoundoff) * std::fabs(g) * (std::fabs(u) + 1.0));
    }
  });
}

TEST_CASE("SiLU of far arguments is 0 below and the argument above") {
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    Exact<float> gate(6), up(6), y(6);
    const float arguments[] = {-1e30f, -200.0f, -90.0f, 90.0f, 200.0f, 1e30f};
    for (std::size_t k = 0; k < 6; ++k) {
      gate[k] = arguments[k];
      up[k] = 1.0f;
    }
    table->silu_mul(gate.get(), up.get(), y.get(), 6);
    for (std::size_t k = 1; k < 3; ++k) CHECK(std::fabs(y[k]) < 1e-30f);
    CHECK(std::isfinite(y[0]));
    for (std::size_t k = 3; k < 6; ++k) CHECK(y[k] == gate[k]);
  }
}

TEST_CASE("a NaN passes through the gated activations") {
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    Exact<float> gate(11), up(11), y(11);
    gate[3] = gate[10] = kNan;
    for (std::size_t k = 0; k < 11; ++k) up[k] = 1.0f;
    table->silu_mul(gate.get(), up.get(), y.get(), 11);
    CHECK(std::isnan(y[3]));
    CHECK(std::isnan(y[10]));
    CHECK(y[4] == 0.0f);
  }
}

TEST_CASE("max finds the largest wherever it is, and NaN loses") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    const Exact<float> x = random_floats(n, rng);
    const std::size_t at = rng.next() % n;
    x[at] = 3.0f;
    CHECK(table.max(x.get(), std::int64_t(n)) == 3.0f);
    for (std::size_t k = 0; k < n; ++k) x[k] = -x[k] - 10.0f;
    x[at] = -7.0f;
    CHECK(table.max(x.get(), std::int64_t(n)) == -7.0f);
    for (std::size_t k = 0; k < n; ++k) {
      if (k != at) x[k] = kNan;
    }
    CHECK(table.max(x.get(), std::int64_t(n)) == -7.0f);
    for (std::size_t k = 0; k < n; ++k) x[k] = -kInfinity;
    CHECK(table.max(x.get(), std::int64_t(n)) == -kInfinity);
  });
}

TEST_CASE("exp_sum gives exp of the differences and their sum") {
  for_each([](const KernelTable& table, std::size_t n, Rng& rng) {
    Exact<float> x(n), original(n);
    double exact_sum = 0;
    for (std::size_t k = 0; k < n; ++k) {
      original[k] = x[k] = test::uniform(rng, -80.0f, 5.0f);
      exact_sum += std::exp(double(x[k] - 5.0f));
    }
    const float sum = table.exp_sum(x.get(), 5.0f, std::int64_t(n));
    for (std::size_t k = 0; k < n; ++k) {
      const double exact = std::exp(double(original[k] - 5.0f));
      REQUIRE(std::fabs(x[k] - exact) <= 2e-7 * exact);
    }
    CHECK(std::fabs(sum - exact_sum) <= (2e-7 + double(n) * kUnitRoundoff) * exact_sum);
  });
}

TEST_CASE("exp is within 2e-7 over its whole range") {
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    constexpr std::size_t kCount = 200000;
    Exact<float> x(kCount), y(kCount);
    for (std::size_t k = 0; k < kCount; ++k) x[k] = y[k] = -87.0f + 175.0f * float(k) / float(kCount);
    table->exp_sum(y.get(), 0.0f, kCount);
    for (std::size_t k = 0; k < kCount; ++k) REQUIRE(std::fabs(y[k] - std::exp(double(x[k]))) <= 2e-7 * std::exp(double(x[k])));
  }
}

TEST_CASE("exp of far arguments is 0 below -87, infinite above and NaN for NaN") {
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    for (const std::size_t n : {6u, 16u}) {
      Exact<float> x(n);
      const float arguments[] = {-kInfinity, -1e30f, -87.001f, 90.0f, kInfinity, kNan};
      for (std::size_t k = 0; k < 6; ++k) x[k] = arguments[k];
      const float sum = table->exp_sum(x.get(), 0.0f, std::int64_t(n));
      for (std::size_t k = 0; k < 3; ++k) CHECK(x[k] == 0.0f);
      CHECK(x[3] == kInfinity);
      CHECK(x[4] == kInfinity);
      CHECK(std::isnan(x[5]));
      CHECK(std::isnan(sum));
    }
  }
}

TEST_CASE("rotations turn each pair by its angle") {
  for_each([](const KernelTable& table, std::size_t pairs, Rng& rng) {
    const Exact<float> x = random_floats(2 * pairs, rng), cos(pairs), sin(pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
      const float angle = test::uniform(rng, -3.0f, 3.0f);
      cos[i] = std::cos(angle);
      sin[i] = std::sin(angle);
    }
    const Exact<float> interleaved = copy_of(x), half = copy_of(x);
    table.rope_interleaved(interleaved.get(), cos.get(), sin.get(), std::int64_t(pairs));
    table.rope_half(half.get(), cos.get(), sin.get(), std::int64_t(pairs));
    const auto check_pair = [&](double a, double b, std::size_t i, float first, float second) {
      const double tolerance = 2 * kUnitRoundoff * (std::fabs(a) + std::fabs(b));
      REQUIRE(std::fabs(first - (a * cos[i] - b * sin[i])) <= tolerance);
      REQUIRE(std::fabs(second - (a * sin[i] + b * cos[i])) <= tolerance);
    };
    for (std::size_t i = 0; i < pairs; ++i) {
      check_pair(x[2 * i], x[2 * i + 1], i, interleaved[2 * i], interleaved[2 * i + 1]);
      check_pair(x[i], x[i + pairs], i, half[i], half[i + pairs]);
    }
  });
}

}  // namespace
}  // namespace fathom::kernels
