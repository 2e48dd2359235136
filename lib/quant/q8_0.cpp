// Q8_0: 32 values as d * byte. {d f16; qs i8[32]}.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_q8_0(const std::byte* block, float* values) {
  const float d = load_f16(block);
  const std::uint8_t* qs = bytes_of(block) + 2;
  for (int j = 0; j < 32; ++j) values[j] = d * float(std::int8_t(qs[j]));
}

void encode_q8_0(const float* values, std::byte* block) {
  const float scale = inverse(store_f16(block, std::fabs(signed_extreme({values, 32})) / 127.0f));
  std::uint8_t* qs = bytes_of(block) + 2;
  for (int j = 0; j < 32; ++j) qs[j] = std::uint8_t(nearest(values[j] * scale, -127, 127));
}

}  // namespace fathom::quant
