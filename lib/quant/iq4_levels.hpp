// The sixteen levels of IQ4_NL and IQ4_XS: denser near zero, as weights are.
#pragma once

#include <cmath>

namespace fathom::quant {

inline constexpr int kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

inline int nearest_iq4_level(float value) {
  int code = 0;
  for (int c = 1; c < 16; ++c) {
    if (std::fabs(value - float(kIq4Levels[c])) < std::fabs(value - float(kIq4Levels[code]))) code = c;
  }
  return code;
}

}  // namespace fathom::quant
