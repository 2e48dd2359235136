#include "nn/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fathom::nn {
namespace {

// Llama 3.1: long wavelengths are divided by the factor, short ones kept, those between blended.
double llama3_frequency(double frequency, const RopeConfig& c) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const double original = double(c.original_context);
  if (wavelength < original / c.high_freq_factor) return frequency;
  if (wavelength > original / c.low_freq_factor) return frequency / c.factor;
  const double smooth = (original / wavelength - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor);
  return (1.0 - smooth) * frequency / c.factor + smooth * frequency;
}

// The pair whose wave makes `rotations` turns over the original context.
double yarn_correction_pair(double rotations, const RopeConfig& c) {
  return double(c.dims) * std::log(double(c.original_context) / (rotations * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(c.theta));
}

// NTK-by-parts (YaRN, section 3.2): pairs below `low` keep their frequency, pairs above `high` are interpolated.
void scale_yarn(std::vector<double>& frequencies, const RopeConfig& c) {
  double low = yarn_correction_pair(c.beta_fast, c);
  double high = yarn_correction_pair(c.beta_slow, c);
  if (c.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, double(c.dims - 1));
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((double(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / c.factor * ramp + frequencies[i] * (1.0 - ramp);
  }
}

}  // namespace

float yarn_magnitude(double factor, double m) { return factor <= 1.0 ? 1.0f : float(0.1 * m * std::log(factor) + 1.0); }

std::vector<double> rope_frequencies(const RopeConfig& c) {
  std::vector<double> frequencies(std::size_t(c.dims / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = std::pow(c.theta, -2.0 * double(i) / double(c.dims));
  }
  switch (c.scaling) {
    case RopeScaling::none:
      break;
    case RopeScaling::linear:
      for (double& f : frequencies) f /= c.factor;
      break;
    case RopeScaling::llama3:
      for (double& f : frequencies) f = llama3_frequency(f, c);
      break;
    case RopeScaling::yarn:
      scale_yarn(frequencies, c);
      break;
  }
  for (std::size_t i = 0; i < c.frequency_divisors.size() && i < frequencies.size(); ++i) {
    frequencies[i] /= double(c.frequency_divisors[i]);
  }
  return frequencies;
}

void rope_angles(std::span<const double> frequencies, float cos_sin_factor, std::int64_t position, float* cos, float* sin) {
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double angle = double(position) * frequencies[i];
    cos[i] = float(std::cos(angle)) * cos_sin_factor;
    sin[i] = float(std::sin(angle)) * cos_sin_factor;
  }
}

}  // namespace fathom::nn
