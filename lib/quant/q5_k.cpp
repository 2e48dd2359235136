// Q5_K: Q4_K with a fifth bit. {d f16; dmin f16; scales[12]; qh[32]; qs[128]}: bit g of qh[l] belongs to value l of sub-block
// g.
#include "quant/codecs.hpp"
#include "quant/k_scales.hpp"

namespace fathom::quant {
namespace {

constexpr int kScales = 4, kHigh = 16, kCodes = 48;  // byte offsets

}  // namespace

void decode_q5_k(const std::byte* block, float* values) {
  const std::uint8_t* b = bytes_of(block);
  const float d = load_f16(b), dmin = load_f16(b + 2);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin q = unpack_scale_min(b + kScales, g);
    const float scale = d * float(q.scale), min = dmin * float(q.min);
    const std::uint8_t* qs = b + kCodes + 32 * (g / 2);
    for (int l = 0; l < 32; ++l) {
      const int code = (qs[l] >> 4 * (g % 2) & 15) | (b[kHigh + l] >> g & 1) << 4;
      values[32 * g + l] = scale * float(code) - min;
    }
  }
}

void encode_q5_k(const float* values, std::byte* block) {
  std::uint8_t codes[256];
  encode_k_codes(values, 31, bytes_of(block), codes);
  std::uint8_t* qh = bytes_of(block) + kHigh;
  std::uint8_t* qs = bytes_of(block) + kCodes;
  std::memset(qh, 0, 32);
  for (int p = 0; p < 4; ++p) {
    for (int l = 0; l < 32; ++l) {
      const int low = codes[64 * p + l], high = codes[64 * p + 32 + l];
      qs[32 * p + l] = pack_nibbles(low & 15, high & 15);
      qh[l] |= std::uint8_t(low >> 4 << 2 * p | high >> 4 << (2 * p + 1));
    }
  }
}

}  // namespace fathom::quant
