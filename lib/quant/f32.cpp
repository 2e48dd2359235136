// F32: one IEEE 754 binary32.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_f32(const std::byte* block, float* values) { *values = load<float>(block); }

void encode_f32(const float* values, std::byte* block) { store(block, *values); }

}  // namespace fathom::quant
