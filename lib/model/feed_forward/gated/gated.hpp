// The gated feed-forward part of a dense layer (Shazeer, arXiv:2002.05202).
#pragma once

#include "model/mechanism.hpp"
#include "model/tensors/tensor_name.hpp"

namespace fathom::model {

extern const Mechanism kGated;

inline constexpr TensorName kFfnGate{"model.layers.{}.mlp.gate_proj.weight", "blk.{}.ffn_gate.weight"};
inline constexpr TensorName kFfnUp{"model.layers.{}.mlp.up_proj.weight", "blk.{}.ffn_up.weight"};
inline constexpr TensorName kFfnDown{"model.layers.{}.mlp.down_proj.weight", "blk.{}.ffn_down.weight"};

}  // namespace fathom::model
