// Names of the tensors that several attentions have.
#pragma once

#include "model/tensors/tensor_name.hpp"

namespace fathom::model {

inline constexpr TensorName kAttnQ{"model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight"};
inline constexpr TensorName kAttnOutputName{"model.layers.{}.self_attn.o_proj.weight", "blk.{}.attn_output.weight"};

}  // namespace fathom::model
