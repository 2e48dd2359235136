// What the formats' files share: fields of a block, and rounding a value to a code.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/float_types.hpp"

namespace fathom::quant {

inline const std::uint8_t* bytes_of(const std::byte* block) { return reinterpret_cast<const std::uint8_t*>(block); }
inline std::uint8_t* bytes_of(std::byte* block) { return reinterpret_cast<std::uint8_t*>(block); }

inline int low_nibble(std::uint8_t byte) { return byte & 15; }
inline int high_nibble(std::uint8_t byte) { return byte >> 4; }
inline std::uint8_t pack_nibbles(int low, int high) { return std::uint8_t(low | high << 4); }

template <typename T>
T load(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <typename T>
void store(void* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

inline float load_f16(const void* at) { return f16_to_f32(load<std::uint16_t>(at)); }

// Stores a factor as F16 and returns what a decoder will read, which is what codes must be computed with.
// An overflow would decode to infinity times code, so the factor stops at the largest half.
inline float store_f16(void* at, float factor) {
  const std::uint16_t bits = f32_to_f16(std::clamp(factor, -65504.0f, 65504.0f));
  store(at, bits);
  return f16_to_f32(bits);
}

// 1 / factor, or 0 for a factor of 0, whose codes are all the same.
inline float inverse(float factor) { return factor == 0.0f ? 0.0f : 1.0f / factor; }

// The integer nearest to x (ties to even) in [low, high]; a NaN gives low.
inline int nearest(float x, int low, int high) {
  if (!(x > float(low))) return low;
  if (x >= float(high)) return high;
  return int(std::nearbyint(x));
}

// The value of the largest magnitude, with its sign. Symmetric formats reach one step further below zero than above, so the
// extreme value is given the lowest code.
inline float signed_extreme(std::span<const float> values) {
  float extreme = 0.0f;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;
  }
  return extreme;
}

struct Range {
  float low, high;
};
inline Range range_of(std::span<const float> values) {
  Range range{values[0], values[0]};
  for (const float value : values) range = {std::min(range.low, value), std::max(range.high, value)};
  return range;
}

}  // namespace fathom::quant
