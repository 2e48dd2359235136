// F8_E4M3: one byte a value; its factor lies in another tensor and is not applied here.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_f8_e4m3(const std::byte* block, float* values) { *values = e4m3_to_f32(*bytes_of(block)); }

// To nearest even. What exceeds the largest value, 448, becomes it: the encoding has no infinities.
void encode_f8_e4m3(const float* values, std::byte* block) {
  const float value = *values;
  const std::uint8_t sign = std::signbit(value) ? 0x80 : 0;
  const float magnitude = std::fabs(value);
  std::uint8_t code = 0x7f;  // NaN
  if (magnitude >= 448.0f) {
    code = 0x7e;
  } else if (magnitude < 0x1p-6f) {  // subnormal: steps of 2^-9
    code = std::uint8_t(std::nearbyint(magnitude * 0x1p9f));
  } else if (magnitude < 448.0f) {
    const int exponent = std::ilogb(magnitude);  // eight steps from 2^exponent on; rounding up to 16 is the next exponent
    code = std::uint8_t(int(std::nearbyint(std::ldexp(magnitude, 3 - exponent))) + 8 * (exponent + 6));
  }
  *bytes_of(block) = sign | code;
}

}  // namespace fathom::quant
