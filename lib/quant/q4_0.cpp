// Q4_0: 32 values as d * (nibble - 8). {d f16; qs[16]}, byte j holds values j and j + 16.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_q4_0(const std::byte* block, float* values) {
  const float d = load_f16(block);
  const std::uint8_t* qs = bytes_of(block) + 2;
  for (int j = 0; j < 16; ++j) {
    values[j] = d * float(low_nibble(qs[j]) - 8);
    values[j + 16] = d * float(high_nibble(qs[j]) - 8);
  }
}

void encode_q4_0(const float* values, std::byte* block) {
  const float scale = inverse(store_f16(block, signed_extreme({values, 32}) / -8.0f));
  std::uint8_t* qs = bytes_of(block) + 2;
  for (int j = 0; j < 16; ++j) {
    qs[j] = pack_nibbles(nearest(values[j] * scale, -8, 7) + 8, nearest(values[j + 16] * scale, -8, 7) + 8);
  }
}

}  // namespace fathom::quant
