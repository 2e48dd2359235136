// Q2_K: 16 sub-blocks of 16 values, d * scale * code - dmin * min with codes of two bits, scales and mins of four.
// {scales[16]; qs[64]; d f16; dmin f16}: value p of plane j of half n lies in bits 2j of qs[32 n + p].
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {
namespace {

constexpr int kCodes = 16, kD = 80, kDmin = 82;  // byte offsets

}  // namespace

void decode_q2_k(const std::byte* block, float* values) {
  const std::uint8_t* b = bytes_of(block);
  const float d = load_f16(b + kD), dmin = load_f16(b + kDmin);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * float(low_nibble(b[g])), min = dmin * float(high_nibble(b[g]));
    const int plane = g / 2 % 4;
    const std::uint8_t* qs = b + kCodes + 32 * (g / 8) + 16 * (g % 2);
    for (int l = 0; l < 16; ++l) values[16 * g + l] = scale * float(qs[l] >> 2 * plane & 3) - min;
  }
}

void encode_q2_k(const float* values, std::byte* block) {
  std::uint8_t* b = bytes_of(block);
  float scales[16], mins[16];
  for (int g = 0; g < 16; ++g) {
    const Range range = range_of({values + 16 * g, 16});
    mins[g] = std::max(0.0f, -range.low);
    scales[g] = std::max(0.0f, range.high + mins[g]) / 3.0f;
  }
  const float d = store_f16(b + kD, *std::max_element(scales, scales + 16) / 15.0f);
  const float dmin = store_f16(b + kDmin, *std::max_element(mins, mins + 16) / 15.0f);
  std::memset(b + kCodes, 0, 64);
  for (int g = 0; g < 16; ++g) {
    const int s = nearest(scales[g] * inverse(d), 0, 15), m = nearest(mins[g] * inverse(dmin), 0, 15);
    b[g] = pack_nibbles(s, m);
    const float scale = inverse(d * float(s)), min = dmin * float(m);
    const int plane = g / 2 % 4;
    std::uint8_t* qs = b + kCodes + 32 * (g / 8) + 16 * (g % 2);
    for (int l = 0; l < 16; ++l) qs[l] |= std::uint8_t(nearest((values[16 * g + l] + min) * scale, 0, 3) << 2 * plane);
  }
}

}  // namespace fathom::quant
