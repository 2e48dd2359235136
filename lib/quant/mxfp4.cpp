// MXFP4 (OCP Microscaling Formats 1.0): 32 E2M1 values times one power of two. {e u8; qs[16]}, byte j holds values j and j
// + 16.
#include "quant/block.hpp"
#include "quant/codecs.hpp"
#include "quant/e2m1.hpp"

namespace fathom::quant {
namespace {

// Sum of squared errors when the values are rounded to multiples of 2^exponent.
float squared_error(std::span<const float> values, int exponent) {
  float sum = 0.0f;
  for (const float value : values) {
    const float error = std::ldexp(kE2M1[nearest_e2m1(std::ldexp(value, -exponent))], exponent) - value;
    sum += error * error;
  }
  return sum;
}

// The largest value either saturates a little at 6 or costs all others a bit of precision; the better of the two.
int best_exponent(std::span<const float> values) {
  const float largest = std::fabs(signed_extreme(values));
  if (largest == 0.0f) return -127;
  const int low = std::clamp(std::ilogb(std::min(largest, 0x1p127f)) - 2, -127, 126);  // largest / 2^low is in [4, 8)
  return squared_error(values, low) <= squared_error(values, low + 1) ? low : low + 1;
}

}  // namespace

void decode_mxfp4(const std::byte* block, float* values) {
  const float scale = e8m0_to_f32(*bytes_of(block));
  const std::uint8_t* qs = bytes_of(block) + 1;
  for (int j = 0; j < 16; ++j) {
    values[j] = scale * kE2M1[low_nibble(qs[j])];
    values[j + 16] = scale * kE2M1[high_nibble(qs[j])];
  }
}

void encode_mxfp4(const float* values, std::byte* block) {
  const int exponent = best_exponent({values, 32});
  *bytes_of(block) = std::uint8_t(exponent + 127);
  std::uint8_t* qs = bytes_of(block) + 1;
  for (int j = 0; j < 16; ++j) {
    qs[j] = pack_nibbles(nearest_e2m1(std::ldexp(values[j], -exponent)), nearest_e2m1(std::ldexp(values[j + 16], -exponent)));
  }
}

}  // namespace fathom::quant
