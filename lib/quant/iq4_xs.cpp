// IQ4_XS: 8 sub-blocks of 32 values, d * (scale - 32) * level[nibble] with scales of six bits.
// {d f16; scales_h u16; scales_l[4]; qs[128]}: scale g is nibble g of scales_l below two bits of scales_h; qs as in IQ4_NL.
#include "quant/block.hpp"
#include "quant/codecs.hpp"
#include "quant/iq4_levels.hpp"

namespace fathom::quant {
namespace {

constexpr int kScalesHigh = 2, kScalesLow = 4, kCodes = 8;  // byte offsets

}  // namespace

void decode_iq4_xs(const std::byte* block, float* values) {
  const std::uint8_t* b = bytes_of(block);
  const float d = load_f16(b);
  const int high = load<std::uint16_t>(b + kScalesHigh);
  for (int g = 0; g < 8; ++g) {
    const int biased = (b[kScalesLow + g / 2] >> 4 * (g % 2) & 15) | (high >> 2 * g & 3) << 4;
    const float scale = d * float(biased - 32);
    const std::uint8_t* qs = b + kCodes + 16 * g;
    for (int j = 0; j < 16; ++j) {
      values[32 * g + j] = scale * float(kIq4Levels[low_nibble(qs[j])]);
      values[32 * g + 16 + j] = scale * float(kIq4Levels[high_nibble(qs[j])]);
    }
  }
}

void encode_iq4_xs(const float* values, std::byte* block) {
  std::uint8_t* b = bytes_of(block);
  float scales[8];
  for (int g = 0; g < 8; ++g) scales[g] = signed_extreme({values + 32 * g, 32}) / float(kIq4Levels[0]);
  std::memset(b, 0, kCodes);
  const float d = store_f16(b, signed_extreme(scales) / -32.0f);
  int high = 0;
  for (int g = 0; g < 8; ++g) {
    const int s = nearest(scales[g] * inverse(d), -32, 31);
    b[kScalesLow + g / 2] |= std::uint8_t(((s + 32) & 15) << 4 * (g % 2));
    high |= (s + 32) >> 4 << 2 * g;
    const float scale = inverse(d * float(s));
    const float* x = values + 32 * g;
    for (int j = 0; j < 16; ++j) {
      b[kCodes + 16 * g + j] = pack_nibbles(nearest_iq4_level(x[j] * scale), nearest_iq4_level(x[j + 16] * scale));
    }
  }
  store(b + kScalesHigh, std::uint16_t(high));
}

}  // namespace fathom::quant
