// F16: one IEEE 754 binary16.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_f16(const std::byte* block, float* values) { *values = load_f16(block); }

void encode_f16(const float* values, std::byte* block) { store(block, f32_to_f16(*values)); }

}  // namespace fathom::quant
