#include "nn/rope.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

using namespace fathom;
using nn::RopeConfig;
using nn::RopeScaling;

namespace {

RopeConfig plain(double theta, std::int64_t dims) {
  RopeConfig config;
  config.theta = theta;
  config.dims = dims;
  return config;
}

RopeConfig yarn(double theta, std::int64_t dims, double factor, std::int64_t original, bool truncate = true) {
  RopeConfig config = plain(theta, dims);
  config.scaling = RopeScaling::yarn;
  config.factor = factor;
  config.original_context = original;
  config.truncate = truncate;
  return config;
}

double plain_frequency(const RopeConfig& c, std::int64_t pair) {
  return std::pow(c.theta, -2.0 * double(pair) / double(c.dims));
}

// Checks every pair against a ramp from `low` (frequency kept) to `high` (frequency divided by the factor).
void check_ramp(const RopeConfig& config, double low, double high, double tolerance) {
  const std::vector<double> found = nn::rope_frequencies(config);
  REQUIRE(std::int64_t(found.size()) == config.dims / 2);
  for (std::int64_t i = 0; i < config.dims / 2; ++i) {
    CAPTURE(i);
    const double share = std::min(1.0, std::max(0.0, (double(i) - low) / (high - low)));
    const double frequency = plain_frequency(config, i);
    const double expected = frequency * (1.0 - share) + frequency / config.factor * share;
    CHECK(std::fabs(found[std::size_t(i)] / expected - 1.0) < tolerance);
  }
}

}  // namespace

TEST_CASE("without scaling pair i turns by theta^(-2i/d) for each position") {
  const std::vector<double> found = nn::rope_frequencies(plain(10000.0, 8));
  REQUIRE(found.size() == 4);
  CHECK(found[0] == 1.0);
  CHECK(found[1] == doctest::Approx(0.1));
  CHECK(found[2] == doctest::Approx(0.01));
  CHECK(found[3] == doctest::Approx(0.001));
}

TEST_CASE("linear scaling divides every frequency by the factor") {
  RopeConfig config = plain(100000.0, 6);
  config.scaling = RopeScaling::linear;
  config.factor = 4.0;
  const std::vector<double> found = nn::rope_frequencies(config);
  for (std::int64_t i = 0; i < 3; ++i) CHECK(found[std::size_t(i)] == doctest::Approx(plain_frequency(config, i) / 4.0));
}

// Correction ranges as published: raw 10.472 and 22.513 for V2 and V3, 15.453 and 24.708 for V4's compressed layers, both
// rounded outwards; 8.0928 and 17.3980 for gpt-oss, which does not round. 1e-12 is rounding; 1e-4 allows for the five digits.
TEST_CASE("YaRN keeps and interpolates the pairs that DeepSeek's and gpt-oss's settings say") {
  check_ramp(yarn(10000.0, 64, 40.0, 4096), 10.0, 23.0, 1e-12);
  check_ramp(yarn(160000.0, 64, 16.0, 65536), 15.0, 25.0, 1e-12);
  check_ramp(yarn(150000.0, 64, 32.0, 4096, false), 8.0928, 17.3980, 1e-4);
}

TEST_CASE("YaRN's range is clamped to the pairs there are") {
  // 64 positions of context: the fast end lies below pair 0.
  check_ramp(yarn(10000.0, 16, 40.0, 64), 0.0, 3.0, 1e-12);
}

TEST_CASE("YaRN's magnitude is 0.1 m ln(factor) + 1, and 1 where nothing is stretched") {
  CHECK(nn::yarn_magnitude(40.0, 1.0) == doctest::Approx(1.3689).epsilon(1e-4));
  CHECK(nn::yarn_magnitude(40.0, 0.707) == doctest::Approx(1.2608).epsilon(1e-4));
  CHECK(nn::yarn_magnitude(32.0, 1.0) == doctest::Approx(1.3466).epsilon(1e-4));
  CHECK(nn::yarn_magnitude(4.0, 1.0) == doctest::Approx(1.1386).epsilon(1e-4));
  CHECK(nn::yarn_magnitude(1.0, 1.0) == 1.0f);
  CHECK(nn::yarn_magnitude(0.5, 1.0) == 1.0f);
}

TEST_CASE("Llama 3 scaling keeps short waves, divides long ones and blends those between") {
  RopeConfig config = plain(500000.0, 128);
  config.scaling = RopeScaling::llama3;
  config.factor = 8.0;
  config.original_context = 8192;
  const std::vector<double> found = nn::rope_frequencies(config);
  int kept = 0, blended = 0, divided = 0;
  for (std::int64_t i = 0; i < 64; ++i) {
    CAPTURE(i);
    const double frequency = plain_frequency(config, i), turns = 8192.0 * frequency / (2.0 * std::numbers::pi);
    double expected = 0.0;
    if (turns > 4.0) {
      expected = frequency;
      ++kept;
    } else if (turns < 1.0) {
      expected = frequency / 8.0;
      ++divided;
    } else {
      const double share = (turns - 1.0) / 3.0;
      expected = frequency * (share + (1.0 - share) / 8.0);
      ++blended;
    }
    CHECK(found[std::size_t(i)] == doctest::Approx(expected).epsilon(1e-12));
  }
  CHECK(kept == 29);
  CHECK(blended == 6);
  CHECK(divided == 29);
}

TEST_CASE("frequency factors from a file divide their own pair") {
  RopeConfig config = plain(10000.0, 8);
  config.frequency_divisors = {1.0f, 2.0f, 4.0f, 8.0f};
  const std::vector<double> found = nn::rope_frequencies(config);
  for (std::int64_t i = 0; i < 4; ++i)
    CHECK(found[std::size_t(i)] == doctest::Approx(plain_frequency(config, i) / double(1 << i)));
}

TEST_CASE("angles are exact to F32 also far into a long context, and carry the magnitude") {
  const std::vector<double> frequencies = nn::rope_frequencies(plain(10000.0, 64));
  std::vector<float> cosines(32), sines(32);
  for (const std::int64_t position : {0, 1, 4095, 163839, 100000000}) {
    nn::rope_angles(frequencies, 1.25f, position, cosines.data(), sines.data());
    for (std::size_t i = 0; i < 32; ++i) {
      const long double angle = (long double)(position) * (long double)(frequencies[i]);
      // One rounding to F32 each for the function and the product; 1e8 positions in double cost another 1e-8.
      CHECK(double(cosines[i]) == doctest::Approx(1.25 * double(std::cos(angle))).epsilon(3e-7));
      CHECK(double(sines[i]) == doctest::Approx(1.25 * double(std::sin(angle))).epsilon(3e-7));
    }
  }
}
