// Rotary position embedding (Su et al., RoFormer, eq. 15) and the ways checkpoints stretch it over longer contexts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::nn {

enum class RopeScaling { none, linear, llama3, yarn };

struct RopeConfig {
  double theta = 10000.0;
  std::int64_t dims = 0;     // rotated values of a head, even
  bool interleaved = false;  // pairs (2i, 2i+1); else (i, i + dims / 2)
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  std::int64_t original_context = 0;                     // llama3, yarn
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  // llama3
  double beta_fast = 32.0, beta_slow = 1.0;              // yarn
  bool truncate = true;                                  // yarn: round the correction range to whole pairs
  float cos_sin_factor = 1.0f;                           // yarn's magnitude, multiplies cos and sin
  std::vector<float> frequency_divisors;                 // GGUF's rope_freqs tensor; one a pair, or empty
};

// YaRN's magnitude for a scale factor (Peng et al., YaRN, eq. 22): 0.1 m ln(factor) + 1.
float yarn_magnitude(double factor, double m);

// Angles per position and pair after scaling, [dims / 2].
std::vector<double> rope_frequencies(const RopeConfig& config);

// cos and sin of all pairs at one position, magnitude included.
void rope_angles(std::span<const double> frequencies, float cos_sin_factor, std::int64_t position, float* cos, float* sin);

}  // namespace fathom::nn
