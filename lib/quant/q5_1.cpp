// Q5_1: 32 values as d * code + m. {d f16; m f16; qh u32; qs[16]}: nibbles as in Q4_1, the fifth bit of value j is bit j of qh.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_q5_1(const std::byte* block, float* values) {
  const float d = load_f16(block), m = load_f16(block + 2);
  const std::uint32_t qh = load<std::uint32_t>(block + 4);
  const std::uint8_t* qs = bytes_of(block) + 8;
  for (int j = 0; j < 16; ++j) {
    values[j] = d * float(low_nibble(qs[j]) | int(qh >> j & 1) << 4) + m;
    values[j + 16] = d * float(high_nibble(qs[j]) | int(qh >> (j + 16) & 1) << 4) + m;
  }
}

void encode_q5_1(const float* values, std::byte* block) {
  const Range range = range_of({values, 32});
  const float scale = inverse(store_f16(block, (range.high - range.low) / 31.0f));
  const float m = store_f16(block + 2, range.low);
  std::uint8_t* qs = bytes_of(block) + 8;
  std::uint32_t qh = 0;
  for (int j = 0; j < 16; ++j) {
    const int low = nearest((values[j] - m) * scale, 0, 31);
    const int high = nearest((values[j + 16] - m) * scale, 0, 31);
    qs[j] = pack_nibbles(low & 15, high & 15);
    qh |= std::uint32_t(low >> 4) << j | std::uint32_t(high >> 4) << (j + 16);
  }
  store(block + 4, qh);
}

}  // namespace fathom::quant
