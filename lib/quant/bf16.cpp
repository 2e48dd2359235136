// BF16: the upper half of an F32.
#include "quant/block.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {

void decode_bf16(const std::byte* block, float* values) { *values = bf16_to_f32(load<std::uint16_t>(block)); }

void encode_bf16(const float* values, std::byte* block) { store(block, f32_to_bf16(*values)); }

}  // namespace fathom::quant
