// Q6_K: 16 sub-blocks of 16 values, d * scale * (code - 32) with codes of six bits and signed scales of eight.
// {ql[128]; qh[64]; scales i8[16]; d f16}: of each half n, value l of quarter g has its low four bits in a nibble of
// ql[64 n + 32 (g % 2) + l], low for g < 2, and its high two in bits 2 g of qh[32 n + l].
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {
namespace {

constexpr int kHigh = 128, kScales = 192, kD = 208;  // byte offsets

}  // namespace

void decode_q6_k(const std::byte* block, float* values) {
  const std::uint8_t* b = bytes_of(block);
  const float d = load_f16(b + kD);
  for (int k = 0; k < 256; ++k) {
    const int n = k / 128, g = k / 32 % 4, l = k % 32;
    const int low = b[64 * n + 32 * (g & 1) + l] >> 4 * (g / 2) & 15;
    const int high = b[kHigh + 32 * n + l] >> 2 * g & 3;
    const float scale = d * float(std::int8_t(b[kScales + k / 16]));
    values[k] = scale * float((low | high << 4) - 32);
  }
}

void encode_q6_k(const float* values, std::byte* block) {
  std::uint8_t* b = bytes_of(block);
  float scales[16];
  for (int g = 0; g < 16; ++g) scales[g] = signed_extreme({values + 16 * g, 16}) / -32.0f;
  std::memset(b, 0, kD);
  const float d = store_f16(b + kD, signed_extreme(scales) / -128.0f);
  for (int k = 0; k < 256; ++k) {
    const int s = nearest(scales[k / 16] * inverse(d), -128, 127);
    b[kScales + k / 16] = std::uint8_t(s);
    const int code = nearest(values[k] * inverse(d * float(s)), -32, 31) + 32;
    const int n = k / 128, g = k / 32 % 4, l = k % 32;
    b[64 * n + 32 * (g & 1) + l] |= std::uint8_t((code & 15) << 4 * (g / 2));
    b[kHigh + 32 * n + l] |= std::uint8_t(code >> 4 << 2 * g);
  }
}

}  // namespace fathom::quant
