// F4_E2M1: two values a byte, the low nibble first; their factor lies in another tensor and is not applied here.
#include "quant/block.hpp"
#include "quant/codecs.hpp"
#include "quant/e2m1.hpp"

namespace fathom::quant {

void decode_f4_e2m1(const std::byte* block, float* values) {
  values[0] = kE2M1[low_nibble(*bytes_of(block))];
  values[1] = kE2M1[high_nibble(*bytes_of(block))];
}

void encode_f4_e2m1(const float* values, std::byte* block) {
  *bytes_of(block) = pack_nibbles(nearest_e2m1(values[0]), nearest_e2m1(values[1]));
}

}  // namespace fathom::quant
