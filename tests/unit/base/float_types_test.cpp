// Every code of the small floats, against their definitions.
#include "base/float_types.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace fathom {
namespace {

TEST_CASE("every F16 code has the value of its sign, exponent and fraction, and comes back") {
  for (int code = 0; code < 65536; ++code) {
    const int exponent = code >> 10 & 31, fraction = code & 1023;
    const float value = f16_to_f32(std::uint16_t(code));
    if (exponent == 31 && fraction) {
      CHECK(std::isnan(value));
      CHECK(std::isnan(f16_to_f32(f32_to_f16(value))));
      continue;
    }
    double expected = exponent == 31  ? HUGE_VAL
                      : exponent == 0 ? std::ldexp(fraction, -24)
                                      : std::ldexp(1024 + fraction, exponent - 25);
    if (code & 0x8000) expected = -expected;
    REQUIRE(double(value) == expected);
    REQUIRE(std::signbit(value) == bool(code & 0x8000));
    REQUIRE(f32_to_f16(value) == code);
  }
}

TEST_CASE("values between two F16 codes go to the nearer, ties to the even one") {
  for (int code = 0; code < 0x7bff; ++code) {
    const float low = f16_to_f32(std::uint16_t(code)), high = f16_to_f32(std::uint16_t(code + 1));
    const float middle = 0.5f * (low + high);  // exact: 12 significant bits
    REQUIRE(f32_to_f16(middle) == (code & 1 ? code + 1 : code));
    REQUIRE(f32_to_f16(std::nextafter(middle, 0.0f)) == code);
    REQUIRE(f32_to_f16(std::nextafter(middle, high)) == code + 1);
  }
  CHECK(f32_to_f16(65519.996f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(-1e30f) == 0xfc00);
}

TEST_CASE("every BF16 code is the upper half of its F32 and comes back") {
  for (int code = 0; code < 65536; ++code) {
    const float value = bf16_to_f32(std::uint16_t(code));
    if ((code & 0x7fff) > 0x7f80) {
      CHECK(std::isnan(value));
      CHECK(std::isnan(bf16_to_f32(f32_to_bf16(value))));
      continue;
    }
    REQUIRE(std::bit_cast<std::uint32_t>(value) == std::uint32_t(code) << 16);
    REQUIRE(f32_to_bf16(value) == code);
  }
}

TEST_CASE("values between two BF16 codes go to the nearer, ties to the even one") {
  for (int code = 0; code < 0x7f80; ++code) {
    const float middle = std::bit_cast<float>(std::uint32_t(code) << 16 | 0x8000u);
    REQUIRE(f32_to_bf16(middle) == (code & 1 ? code + 1 : code));
    REQUIRE(f32_to_bf16(std::bit_cast<float>(std::bit_cast<std::uint32_t>(middle) - 1)) == code);
    REQUIRE(f32_to_bf16(std::bit_cast<float>(std::bit_cast<std::uint32_t>(middle) + 1)) == code + 1);
  }
}

TEST_CASE("every E4M3 code has the value of its sign, exponent and fraction") {
  for (int code = 0; code < 256; ++code) {
    const int exponent = code >> 3 & 15, fraction = code & 7;
    const float value = e4m3_to_f32(std::uint8_t(code));
    if ((code & 0x7f) == 0x7f) {
      CHECK(std::isnan(value));
      continue;
    }
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
    CHECK(double(value) == (code & 0x80 ? -magnitude : magnitude));
    CHECK(std::signbit(value) == bool(code & 0x80));
  }
  CHECK(e4m3_to_f32(0x38) == 1.0f);
  CHECK(e4m3_to_f32(0x08) == 0x1p-6f);
  CHECK(e4m3_to_f32(0x01) == 0x1p-9f);
  CHECK(e4m3_to_f32(0x7e) == 448.0f);
}

TEST_CASE("every E8M0 code is a power of two, but for the NaN") {
  for (int code = 0; code < 255; ++code) CHECK(double(e8m0_to_f32(std::uint8_t(code))) == std::ldexp(1.0, code - 127));
  CHECK(std::isnan(e8m0_to_f32(255)));
}

TEST_CASE("E2M1 codes are 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives") {
  constexpr float kExpected[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  for (int code = 0; code < 8; ++code) {
    CHECK(kE2M1[code] == kExpected[code]);
    CHECK(kE2M1[code + 8] == -kExpected[code]);
    CHECK(std::signbit(kE2M1[code + 8]));
  }
}

}  // namespace
}  // namespace fathom
