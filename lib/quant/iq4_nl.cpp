// IQ4_NL: 32 values as d * level[nibble]. {d f16; qs[16]}, byte j holds values j and j + 16.
#include "quant/block.hpp"
#include "quant/codecs.hpp"
#include "quant/iq4_levels.hpp"

namespace fathom::quant {

void decode_iq4_nl(const std::byte* block, float* values) {
  const float d = load_f16(block);
  const std::uint8_t* qs = bytes_of(block) + 2;
  for (int j = 0; j < 16; ++j) {
    values[j] = d * float(kIq4Levels[low_nibble(qs[j])]);
    values[j + 16] = d * float(kIq4Levels[high_nibble(qs[j])]);
  }
}

void encode_iq4_nl(const float* values, std::byte* block) {
  const float scale = inverse(store_f16(block, signed_extreme({values, 32}) / float(kIq4Levels[0])));
  std::uint8_t* qs = bytes_of(block) + 2;
  for (int j = 0; j < 16; ++j) {
    qs[j] = pack_nibbles(nearest_iq4_level(values[j] * scale), nearest_iq4_level(values[j + 16] * scale));
  }
}

}  // namespace fathom::quant
