// Decoding against the format specification's golden values; encoding against bounds that follow from each format's steps.
#include "quant/formats.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "fathom/error.hpp"
#include "unit/quant/sample_blocks.hpp"

namespace fathom::quant {
namespace {

using enum StorageFormat;

// Values of the block whose byte i is 37 i + 11, with d = 0.5, m = dmin = 0.25 and an exponent of 0.
struct Golden {
  StorageFormat format;
  double first, second, seventeenth, middle, last, sum, weighted_sum;
};
constexpr Golden kGolden[] = {
    {q4_0, -1.5, 1, -0.5, -1.5, 0, -10.5, -259},
    {q4_1, 7.75, 2.25, 6.25, 4.75, 6.25, 130.5, 2123.5},
    {q5_0, 4.5, -1, 0, 7, 0.5, 7.5, 56},
    {q5_1, 9.75, 12.25, 2.75, 9.75, 2.75, 260.5, 4082.5},
    {q8_0, 42.5, 61, -27, -45.5, -24, -88, -4040},
    {q2_k, 16.5, 0, -0.75, 3.75, 2.25, 1029.5, 121565},
    {q3_k, 40.5, -54, 64, 1, 21, 479, 88572.5},
    {q4_k, 157.75, -12.75, -12.75, 211.5, 24.25, 27220, 3786420},
    {q5_k, 405.75, -12.75, -12.75, 523.5, 54.25, 58108, 8013724},
    {q6_k, -715.5, 848, 256, -175.5, -30, 2306, 392210},
    {iq4_nl, -17.5, 12.5, -5, -17.5, 0.5, -128.5, -3459.5},
    {iq4_xs, 32.5, -0.5, 17.5, -292.5, -8, -5502.5, -1045567},
    {mxfp4, 0, 3, 3, 1.5, 3, 12.5, 319},
};

std::vector<std::byte> golden_block(StorageFormat format) {
  std::vector<std::byte> block(storage_layout(format).block_bytes);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = std::byte(37 * i + 11);
  const test::BlockFields& fields = *test::block_fields(format);
  if (fields.d >= 0) test::put_f16(block.data() + fields.d, 0.5f);
  if (fields.m >= 0) test::put_f16(block.data() + fields.m, 0.25f);
  if (fields.exponent >= 0) block[fields.exponent] = std::byte(127);
  return block;
}

std::vector<float> decoded(StorageFormat format, const std::vector<std::byte>& bytes) {
  const StorageLayout& layout = storage_layout(format);
  std::vector<float> values(bytes.size() / layout.block_bytes * layout.block_values);
  decode(format, bytes, values);
  return values;
}

std::vector<float> round_trip(StorageFormat format, const std::vector<float>& values) {
  const StorageLayout& layout = storage_layout(format);
  std::vector<std::byte> bytes(values.size() / layout.block_values * layout.block_bytes);
  encode(format, values, bytes);
  return decoded(format, bytes);
}

TEST_CASE("every block format decodes the golden block to the specification's values") {
  for (const Golden& golden : kGolden) {
    CAPTURE(storage_layout(golden.format).name);
    const std::vector<float> y = decoded(golden.format, golden_block(golden.format));
    CHECK(y[0] == golden.first);
    CHECK(y[1] == golden.second);
    CHECK(y[17] == golden.seventeenth);
    CHECK(y[y.size() / 2] == golden.middle);
    CHECK(y.back() == golden.last);
    double sum = 0, weighted_sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      sum += y[i];
      weighted_sum += double(i + 1) * y[i];
    }
    CHECK(sum == golden.sum);
    CHECK(weighted_sum == golden.weighted_sum);
  }
}

TEST_CASE("FP4 pairs decode the low nibble first") {
  const std::vector<float> y = decoded(f4_e2m1, {std::byte(0x7a), std::byte(0x01)});
  CHECK(y == std::vector<float>{-1.0f, 6.0f, 0.5f, 0.0f});
}

TEST_CASE("MXFP4 puts byte j at values j and j + 16, unlike FP4 pairs") {
  std::vector<std::byte> block(17);
  block[0] = std::byte(128);
  block[3] = std::byte(0x72);
  const std::vector<float> y = decoded(mxfp4, block);
  CHECK(y[2] == 2.0f);
  CHECK(y[18] == 12.0f);
  CHECK(std::count(y.begin(), y.end(), 0.0f) == 30);
}

TEST_CASE("MXFP4's smallest exponents give F32 subnormals and 255 gives NaN") {
  std::vector<std::byte> block(17, std::byte(0x11));
  block[0] = std::byte(0);
  CHECK(decoded(mxfp4, block)[0] == 0x1p-128f);
  block[0] = std::byte(255);
  CHECK(std::isnan(decoded(mxfp4, block)[0]));
}

// |error| <= of_largest * (largest magnitude of a block), for the part of it that decides the factor.
struct Bound {
  StorageFormat format;
  float of_largest;
};
constexpr float kHalfUlp16 = 0x1p-11f;  // of a factor stored as F16
constexpr Bound kBounds[] = {
    {f32, 0.0f},
    {f16, kHalfUlp16},
    {bf16, 0x1p-8f},
    {f8_e4m3, 0x1p-4f},
    // The gap between 4 and 6 is the widest: half of it against 6, the whole scale of values being [-6, 6] here.
    {f4_e2m1, 1.0f / 6.0f},
    // Half a step inside, a whole step for the extreme opposite to the one that got the lowest code.
    {q4_0, 1.0f / 8.0f + 2 * kHalfUlp16},
    {q5_0, 1.0f / 16.0f + 2 * kHalfUlp16},
    // The range is at most twice the largest magnitude.
    {q4_1, 1.0f / 15.0f + 4 * kHalfUlp16},
    {q5_1, 1.0f / 31.0f + 4 * kHalfUlp16},
    {q8_0, 0.5f / 127.0f + 2 * kHalfUlp16},
    // With the scale and the min rounded to k steps over the super-block: half a code step, half a scale step for the top code
    // (as large as the range / 2k) and half a min step (largest / 2k).
    {q2_k, 2.0f / 6.0f + 2.0f / 30.0f + 1.0f / 30.0f + 6 * kHalfUlp16},
    {q4_k, 2.0f / 30.0f + 2.0f / 126.0f + 1.0f / 126.0f + 6 * kHalfUlp16},
    {q5_k, 2.0f / 62.0f + 2.0f / 126.0f + 1.0f / 126.0f + 6 * kHalfUlp16},
    // A whole code step at the opposite extreme, half a scale step on the lowest code; one scale step when it too is the
    // opposite extreme.
    {q3_k, 1.0f / 4.0f + 1.0f / 32.0f + 4 * kHalfUlp16},
    {q6_k, 1.0f / 32.0f + 1.0f / 128.0f + 4 * kHalfUlp16},
    // The opposite extreme: level 113 for 127. The widest gap inside is 24, half of it less than that.
    {iq4_nl, 14.0f / 127.0f + 2 * kHalfUlp16},
    {iq4_xs, 14.0f / 127.0f + 1.0f / 32.0f + 4 * kHalfUlp16},
    // The smaller exponent the encoder may take leaves the largest below 8 steps, of which 6 is what there is.
    {mxfp4, 0.25f},
};

// Values as they are in weights: normal, with a scale that differs from one 32 to the next.
std::vector<float> weight_like(std::size_t count, Rng& rng, float scale) {
  std::vector<float> values(count);
  float local = scale;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 32 == 0) local = scale * test::uniform(rng, 0.1f, 1.0f);
    float sum = -6.0f;
    for (int k = 0; k < 12; ++k) sum += float(rng.uniform());
    values[i] = local * sum;
  }
  return values;
}

float largest_of(std::span<const float> values) {
  float largest = 0.0f;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

TEST_CASE("what is encoded decodes to within the format's own step") {
  Rng rng(1);
  for (const Bound& bound : kBounds) {
    const StorageLayout& layout = storage_layout(bound.format);
    CAPTURE(layout.name);
    for (const std::size_t blocks : {1, 3, 64}) {
      std::vector<float> x = weight_like(blocks * layout.block_values, rng, 0.05f);
      // Without factors these two formats have a range of their own: scaled to it, and small values have absolute steps.
      if (bound.format == f4_e2m1 || bound.format == f8_e4m3) {
        const float factor = (bound.format == f4_e2m1 ? 6.0f : 448.0f) / largest_of(x);
        for (float& value : x) value *= factor;
      }
      const std::vector<float> y = round_trip(bound.format, x);
      const bool whole = layout.block_values < 32;
      for (std::size_t first = 0; first < x.size(); first += layout.block_values) {
        const float largest = whole ? largest_of(x) : largest_of({x.data() + first, layout.block_values});
        for (std::size_t k = first; k < first + layout.block_values; ++k) {
          REQUIRE(std::fabs(x[k] - y[k]) <= bound.of_largest * largest);
        }
      }
    }
  }
}

TEST_CASE("a one-sided block, a constant block and a block of zeros stay what they are") {
  for (const Bound& bound : kBounds) {
    const StorageLayout& layout = storage_layout(bound.format);
    CAPTURE(layout.name);
    const std::vector<float> zeros(layout.block_values, 0.0f);
    CHECK(round_trip(bound.format, zeros) == zeros);
    for (const float value : {1.0f, -1.0f}) {
      for (const float y : round_trip(bound.format, std::vector<float>(layout.block_values, value))) {
        REQUIRE(y == doctest::Approx(value).epsilon(0.13));  // the coarsest: levels of IQ4 with rounded scales
      }
    }
  }
}

TEST_CASE("FP8 rounds to nearest even and saturates at 448") {
  for (int code = 0; code < 0x7e; ++code) {
    const float low = e4m3_to_f32(std::uint8_t(code)), high = e4m3_to_f32(std::uint8_t(code + 1));
    const float middle = 0.5f * (low + high);
    const float even = code & 1 ? high : low;
    CHECK(round_trip(f8_e4m3, {low, -high, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 500.0f)}) ==
          std::vector<float>{low, -high, even, low, high});
  }
  CHECK(round_trip(f8_e4m3, {449.0f, -1e30f}) == std::vector<float>{448.0f, -448.0f});
  CHECK(std::isnan(round_trip(f8_e4m3, {NAN})[0]));
}

TEST_CASE("FP4 rounds to nearest even and saturates at 6") {
  CHECK(round_trip(f4_e2m1, {0.25f, 0.26f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f, 5.1f, -9.0f}) ==
        std::vector<float>{0.0f, 0.5f, 1.0f, 1.0f, 2.0f, 2.0f, 4.0f, 4.0f, 6.0f, -6.0f});
}

TEST_CASE("encoding takes infinities, NaN, huge and tiny values without harm") {
  for (const Bound& bound : kBounds) {
    const StorageLayout& layout = storage_layout(bound.format);
    CAPTURE(layout.name);
    for (const float odd : {HUGE_VALF, -HUGE_VALF, NAN, 3e38f, -1e-44f}) {
      std::vector<float> x(layout.block_values, 1.0f);
      x[layout.block_values / 2] = odd;
      CHECK(round_trip(bound.format, x).size() == x.size());
    }
  }
}

TEST_CASE("formats known by size only are refused by name") {
  CHECK(find_format(iq2_xxs) == nullptr);
  std::vector<std::byte> bytes(66);
  std::vector<float> values(256);
  try {
    decode(iq2_xxs, bytes, values);
    FAIL("decoded");
  } catch (const Error& error) {
    CHECK(error.status() == Status::unsupported);
    CHECK(error.message().find("IQ2_XXS") != std::string::npos);
  }
}

TEST_CASE("spans that do not describe the same row are refused") {
  std::vector<std::byte> bytes(36);
  std::vector<float> values(64);
  CHECK_NOTHROW(decode(q4_0, bytes, values));
  CHECK_THROWS_AS(decode(q4_0, std::span(bytes).first(35), values), Error);
  CHECK_THROWS_AS(decode(q4_0, bytes, std::span(values).first(63)), Error);
  CHECK_THROWS_AS(encode(q4_0, std::span(values).first(32), bytes), Error);
}

}  // namespace
}  // namespace fathom::quant
