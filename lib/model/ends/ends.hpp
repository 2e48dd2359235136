// The ends of a pass: tokens to rows of the residual stream, rows to logits.
#pragma once

#include "model/pass/plan.hpp"
#include "model/tensors/tensor_name.hpp"

namespace fathom::model {

extern const StageKind kEmbed, kFinalNorm, kLogits;

inline constexpr TensorName kTokenEmbd{"model.embed_tokens.weight", "token_embd.weight"};
inline constexpr TensorName kOutputNorm{"model.norm.weight", "output_norm.weight"};
inline constexpr TensorName kOutput{"lm_head.weight", "output.weight"};

}  // namespace fathom::model
