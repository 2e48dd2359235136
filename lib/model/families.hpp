// The model families fathom runs: how each is recognised, how its configuration reads, what its tensors are called.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "io/open.hpp"
#include "model/config.hpp"

namespace fathom::model {

// What a tensor is for. The names behind a role differ by container and family.
enum class Role {
  token_embd,
  output_norm,
  output,  // of the model
  attn_norm,
  attn_q,
  attn_k,
  attn_v,
  attn_output,  // of a layer
  attn_q_norm,
  attn_k_norm,
  attn_sinks,
  attn_q_a,
  attn_q_a_norm,
  attn_q_b,
  attn_kv_a,
  attn_kv_a_norm,
  attn_kv_b,
  attn_k_b,
  attn_v_b,
  ffn_norm,
  ffn_gate,
  ffn_up,
  ffn_down,
  router,
  correction_bias,
  expert_gate,
  expert_up,
  expert_down,  // Hugging Face: one tensor an expert, {} twice
  experts_gate,
  experts_up,
  experts_down,
  experts_gate_up,  // all experts in one tensor
  shared_gate,
  shared_up,
  shared_down,
};

struct TensorName {
  Role role;
  std::string_view pattern;  // {} is the layer, a second {} the expert; ends in .weight where the tensor may have a .bias
};

struct Family {
  std::string_view name;
  bool (*matches)(const io::Checkpoint& checkpoint);
  Config (*read_config)(const io::Checkpoint& checkpoint);
  std::span<const TensorName> huggingface_names;  // rows that differ from the common ones
  std::span<const TensorName> gguf_names;
};

// The first row that matches. Throws Error{unsupported} naming the architecture found and the families there are.
const Family& find_family(const io::Checkpoint& checkpoint);

// The name of a role's tensor in this checkpoint; empty when the container has none for it.
std::string tensor_name(const Family& family, io::Container container, Role role, std::int64_t layer = 0,
                        std::int64_t expert = 0);

// One a file in families/.
extern const Family kLlama, kMistral, kMixtral;  // llama.cpp
extern const Family kQwen2, kQwen3, kQwen3Moe;   // qwen.cpp
extern const Family kDeepseekV1;                 // deepseek_v1.cpp
extern const Family kDeepseekV2, kDeepseekV3;    // deepseek_v2.cpp
extern const Family kGptOss;                     // gpt_oss.cpp

}  // namespace fathom::model
