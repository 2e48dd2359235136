// Q5_0: 32 values as d * (code - 16). {d f16; qh u32; qs[16]}: nibbles as in Q4_0, the fifth bit of value j is bit j of qh.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_q5_0(const std::byte* block, float* values) {
  const float d = load_f16(block);
  const std::uint32_t qh = load<std::uint32_t>(block + 2);
  const std::uint8_t* qs = bytes_of(block) + 6;
  for (int j = 0; j < 16; ++j) {
    values[j] = d * float((low_nibble(qs[j]) | int(qh >> j & 1) << 4) - 16);
    values[j + 16] = d * float((high_nibble(qs[j]) | int(qh >> (j + 16) & 1) << 4) - 16);
  }
}

void encode_q5_0(const float* values, std::byte* block) {
  const float scale = inverse(store_f16(block, signed_extreme({values, 32}) / -16.0f));
  std::uint8_t* qs = bytes_of(block) + 6;
  std::uint32_t qh = 0;
  for (int j = 0; j < 16; ++j) {
    const int low = nearest(values[j] * scale, -16, 15) + 16;
    const int high = nearest(values[j + 16] * scale, -16, 15) + 16;
    qs[j] = pack_nibbles(low & 15, high & 15);
    qh |= std::uint32_t(low >> 4) << j | std::uint32_t(high >> 4) << (j + 16);
  }
  store(block + 2, qh);
}

}  // namespace fathom::quant
