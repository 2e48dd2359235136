// The mixture-of-experts layer (DeepSeekMoE, arXiv:2401.06066): route, then each chosen expert over the rows that chose it, and
// the shared expert over all. Contributions are merged in ascending expert order, so that bits do not depend on the mix.
// load.cpp reads the weights, route.cpp chooses and runs gate and up, down.cpp runs down and merges.
#pragma once

#include "model/feed_forward/experts/expert_store.hpp"
#include "model/mechanism.hpp"
#include "model/pass/pass.hpp"
#include "model/tensors/tensor_name.hpp"
#include "nn/expert_groups.hpp"

namespace fathom::model {

extern const Mechanism kExperts;

struct ExpertWeights {
  nn::Linear router;                       // [experts, hidden]
  const float* correction_bias = nullptr;  // [experts], or null
  ExpertStore store;
  GatedMlp shared;  // empty where there is none
};

// A slot is one row's use of one expert: rows * experts_per_token of them.
struct ExpertScratch {
  GatedScratch shared;
  Matrix<float> slot_gate, slot_up;  // [slots, moe_intermediate]
  RoundedBuffer slot_rounded;
  Matrix<float> expert_out;           // [slots of a round, hidden], where slot_up was
  Matrix<float> router_logits;        // [rows, experts]
  std::span<std::int32_t> route_ids;  // [rows, experts_per_token]
  std::span<float> route_weights;
  std::span<std::int32_t> group_cursor;
  nn::ExpertGroups groups;
};

// Rows of one expert multiplied together.
inline constexpr std::int64_t kExpertPanel = 128;

// load.cpp
void load_experts(TensorLoader& loader, int layer, Slot& weights);

// route.cpp, down.cpp
extern const StageKind kRouterLogits, kChooseExperts, kExpertsGateUp;
extern const StageKind kRoutedDown, kAddExperts, kSharedDown;

inline constexpr TensorName kRouter{"model.layers.{}.mlp.gate.weight", "blk.{}.ffn_gate_inp.weight"};
inline constexpr TensorName kCorrectionBias{"model.layers.{}.mlp.gate.e_score_correction_bias", "blk.{}.exp_probs_b.bias"};
// One tensor an expert.
inline constexpr TensorName kExpertGate{"model.layers.{}.mlp.experts.{}.gate_proj.weight", "blk.{}.ffn_gate.{}.weight"};
inline constexpr TensorName kExpertUp{"model.layers.{}.mlp.experts.{}.up_proj.weight", "blk.{}.ffn_up.{}.weight"};
inline constexpr TensorName kExpertDown{"model.layers.{}.mlp.experts.{}.down_proj.weight", "blk.{}.ffn_down.{}.weight"};
// All experts in one tensor.
inline constexpr TensorName kExpertsGate{"", "blk.{}.ffn_gate_exps.weight"};
inline constexpr TensorName kExpertsUp{"", "blk.{}.ffn_up_exps.weight"};
inline constexpr TensorName kExpertsDown{"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight"};
inline constexpr TensorName kExpertsGateUpName{"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_exps.weight"};
inline constexpr TensorName kSharedGate{"model.layers.{}.mlp.shared_experts.gate_proj.weight", "blk.{}.ffn_gate_shexp.weight"};
inline constexpr TensorName kSharedUp{"model.layers.{}.mlp.shared_experts.up_proj.weight", "blk.{}.ffn_up_shexp.weight"};
inline constexpr TensorName kSharedDownName{"model.layers.{}.mlp.shared_experts.down_proj.weight",
                                            "blk.{}.ffn_down_shexp.weight"};

}  // namespace fathom::model
