// Rounding to FP4 E2M1, for the two formats that hold it.
#pragma once

#include <cmath>

namespace fathom::quant {

// The nearest code, ties to the even one, saturating at 6; a NaN gives 6.
inline int nearest_e2m1(float value) {
  // Halfway points between neighbours 0, 0.5, 1, 1.5, 2, 3, 4, 6; a tie goes to the even code.
  const float magnitude = std::fabs(value);
  int code = 7;
  if (magnitude <= 0.25f)
    code = 0;
  else if (magnitude < 0.75f)
    code = 1;
  else if (magnitude <= 1.25f)
    code = 2;
  else if (magnitude < 1.75f)
    code = 3;
  else if (magnitude <= 2.5f)
    code = 4;
  else if (magnitude < 3.5f)
    code = 5;
  else if (magnitude <= 5.0f)
    code = 6;
  return std::signbit(value) ? code | 8 : code;
}

}  // namespace fathom::quant
