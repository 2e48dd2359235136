// The twelve bytes in which Q4_K and Q5_K keep eight scales and eight mins of six bits, and how encoders choose them.
#pragma once

#include "quant/block.hpp"

namespace fathom::quant {

struct ScaleMin {
  int scale, min;
};

inline ScaleMin unpack_scale_min(const std::uint8_t* q, int g) {
  if (g < 4) return {q[g] & 63, q[g + 4] & 63};
  return {low_nibble(q[g + 4]) | q[g - 4] >> 6 << 4, high_nibble(q[g + 4]) | q[g] >> 6 << 4};
}

// `q` must be zero before the first of the eight.
inline void pack_scale_min(ScaleMin value, int g, std::uint8_t* q) {
  if (g < 4) {
    q[g] |= std::uint8_t(value.scale);
    q[g + 4] |= std::uint8_t(value.min);
  } else {
    q[g + 4] |= pack_nibbles(value.scale & 15, value.min & 15);
    q[g - 4] |= std::uint8_t(value.scale >> 4 << 6);
    q[g] |= std::uint8_t(value.min >> 4 << 6);
  }
}

// Codes 0 ... top of a super-block of 256 values: writes d, dmin (two halves) and the scales behind them.
inline void encode_k_codes(const float* values, int top, std::uint8_t* header, std::uint8_t* codes) {
  float scales[8], mins[8];
  for (int g = 0; g < 8; ++g) {
    const Range range = range_of({values + 32 * g, 32});
    mins[g] = std::max(0.0f, -range.low);
    scales[g] = std::max(0.0f, range.high + mins[g]) / float(top);
  }
  const float d = store_f16(header, *std::max_element(scales, scales + 8) / 63.0f);
  const float dmin = store_f16(header + 2, *std::max_element(mins, mins + 8) / 63.0f);
  std::memset(header + 4, 0, 12);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin q{nearest(scales[g] * inverse(d), 0, 63), nearest(mins[g] * inverse(dmin), 0, 63)};
    pack_scale_min(q, g, header + 4);
    const float scale = inverse(d * float(q.scale)), min = dmin * float(q.min);
    for (int l = 32 * g; l < 32 * g + 32; ++l) codes[l] = std::uint8_t(nearest((values[l] + min) * scale, 0, top));
  }
}

}  // namespace fathom::quant
