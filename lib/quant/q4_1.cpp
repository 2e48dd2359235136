// Q4_1: 32 values as d * nibble + m. {d f16; m f16; qs[16]}, byte j holds values j and j + 16.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_q4_1(const std::byte* block, float* values) {
  const float d = load_f16(block), m = load_f16(block + 2);
  const std::uint8_t* qs = bytes_of(block) + 4;
  for (int j = 0; j < 16; ++j) {
    values[j] = d * float(low_nibble(qs[j])) + m;
    values[j + 16] = d * float(high_nibble(qs[j])) + m;
  }
}

void encode_q4_1(const float* values, std::byte* block) {
  const Range range = range_of({values, 32});
  const float scale = inverse(store_f16(block, (range.high - range.low) / 15.0f));
  const float m = store_f16(block + 2, range.low);
  std::uint8_t* qs = bytes_of(block) + 4;
  for (int j = 0; j < 16; ++j) {
    qs[j] = pack_nibbles(nearest((values[j] - m) * scale, 0, 15), nearest((values[j + 16] - m) * scale, 0, 15));
  }
}

}  // namespace fathom::quant
