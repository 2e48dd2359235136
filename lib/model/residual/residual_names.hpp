// Names of the norms around a layer's blocks.
#pragma once

#include "model/tensors/tensor_name.hpp"

namespace fathom::model {

inline constexpr TensorName kAttnNorm{"model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight"};
inline constexpr TensorName kFfnNorm{"model.layers.{}.post_attention_layernorm.weight", "blk.{}.ffn_norm.weight"};

}  // namespace fathom::model
