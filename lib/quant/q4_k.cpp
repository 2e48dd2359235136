// Q4_K: 8 sub-blocks of 32 values, d * scale * nibble - dmin * min. {d f16; dmin f16; scales[12]; qs[128]}: sub-blocks 2 p and
// 2 p + 1 are the low and the high nibbles of qs[32 p ...].
#include "quant/codecs.hpp"
#include "quant/k_scales.hpp"

namespace fathom::quant {
namespace {

constexpr int kScales = 4, kCodes = 16;  // byte offsets

}  // namespace

void decode_q4_k(const std::byte* block, float* values) {
  const std::uint8_t* b = bytes_of(block);
  const float d = load_f16(b), dmin = load_f16(b + 2);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin q = unpack_scale_min(b + kScales, g);
    const float scale = d * float(q.scale), min = dmin * float(q.min);
    const std::uint8_t* qs = b + kCodes + 32 * (g / 2);
    for (int l = 0; l < 32; ++l) values[32 * g + l] = scale * float(qs[l] >> 4 * (g % 2) & 15) - min;
  }
}

void encode_q4_k(const float* values, std::byte* block) {
  std::uint8_t codes[256];
  encode_k_codes(values, 15, bytes_of(block), codes);
  std::uint8_t* qs = bytes_of(block) + kCodes;
  for (int p = 0; p < 4; ++p) {
    for (int l = 0; l < 32; ++l) qs[32 * p + l] = pack_nibbles(codes[64 * p + l], codes[64 * p + 32 + l]);
  }
}

}  // namespace fathom::quant
