// Q3_K: 16 sub-blocks of 16 values, d * scale * code with signed codes of three bits and signed scales of six.
// {hmask[32]; qs[64]; scales[12]; d f16}: the low two bits as in Q2_K; a clear bit 4 n + j of hmask[p] subtracts 4.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {
namespace {

constexpr int kCodes = 32, kScales = 96, kD = 108;  // byte offsets

// Scale g, biased by 32: four bits in a nibble of the first eight bytes, two more in the last four bytes.
int unpack_scale(const std::uint8_t* scales, int g) {
  const int low = g < 8 ? low_nibble(scales[g]) : high_nibble(scales[g - 8]);
  return low | (scales[8 + g % 4] >> 2 * (g / 4) & 3) << 4;
}

void pack_scale(int biased, int g, std::uint8_t* scales) {
  scales[g % 8] |= std::uint8_t((biased & 15) << (g < 8 ? 0 : 4));
  scales[8 + g % 4] |= std::uint8_t(biased >> 4 << 2 * (g / 4));
}

}  // namespace

void decode_q3_k(const std::byte* block, float* values) {
  const std::uint8_t* b = bytes_of(block);
  const float d = load_f16(b + kD);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * float(unpack_scale(b + kScales, g) - 32);
    const int plane = g / 2 % 4, first = 16 * (g % 2), mask_bit = g / 2;
    const std::uint8_t* qs = b + kCodes + 32 * (g / 8) + first;
    for (int l = 0; l < 16; ++l) {
      const int code = (qs[l] >> 2 * plane & 3) - (b[first + l] >> mask_bit & 1 ? 0 : 4);
      values[16 * g + l] = scale * float(code);
    }
  }
}

void encode_q3_k(const float* values, std::byte* block) {
  std::uint8_t* b = bytes_of(block);
  float scales[16];
  for (int g = 0; g < 16; ++g) scales[g] = signed_extreme({values + 16 * g, 16}) / -4.0f;
  std::memset(b, 0, 108);
  const float d = store_f16(b + kD, signed_extreme(scales) / -32.0f);
  for (int g = 0; g < 16; ++g) {
    const int s = nearest(scales[g] * inverse(d), -32, 31);
    pack_scale(s + 32, g, b + kScales);
    const float scale = inverse(d * float(s));
    const int plane = g / 2 % 4, first = 16 * (g % 2), mask_bit = g / 2;
    std::uint8_t* qs = b + kCodes + 32 * (g / 8) + first;
    for (int l = 0; l < 16; ++l) {
      const int code = nearest(values[16 * g + l] * scale, -4, 3) + 4;
      qs[l] |= std::uint8_t((code & 3) << 2 * plane);
      b[first + l] |= std::uint8_t(code >> 2 << mask_bit);
    }
  }
}

}  // namespace fathom::quant
