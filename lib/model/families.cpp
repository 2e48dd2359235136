#include "model/families.hpp"

#include <array>

#include "base/error.hpp"
#include "model/config_reader.hpp"

namespace fathom::model {
namespace {

// Rows are references, because the families live in their own files.
constexpr std::array kFamilies = {&kDeepseekV3, &kDeepseekV2, &kDeepseekV1, &kLlama,    &kMixtral,
                                  &kMistral,    &kQwen2,      &kQwen3,      &kQwen3Moe, &kGptOss};

constexpr TensorName kHuggingface[] = {
    {Role::token_embd, "model.embed_tokens.weight"},
    {Role::output_norm, "model.norm.weight"},
    {Role::output, "lm_head.weight"},
    {Role::attn_norm, "model.layers.{}.input_layernorm.weight"},
    {Role::attn_q, "model.layers.{}.self_attn.q_proj.weight"},
    {Role::attn_k, "model.layers.{}.self_attn.k_proj.weight"},
    {Role::attn_v, "model.layers.{}.self_attn.v_proj.weight"},
    {Role::attn_output, "model.layers.{}.self_attn.o_proj.weight"},
    {Role::attn_q_norm, "model.layers.{}.self_attn.q_norm.weight"},
    {Role::attn_k_norm, "model.layers.{}.self_attn.k_norm.weight"},
    {Role::attn_q_a, "model.layers.{}.self_attn.q_a_proj.weight"},
    {Role::attn_q_a_norm, "model.layers.{}.self_attn.q_a_layernorm.weight"},
    {Role::attn_q_b, "model.layers.{}.self_attn.q_b_proj.weight"},
    {Role::attn_kv_a, "model.layers.{}.self_attn.kv_a_proj_with_mqa.weight"},
    {Role::attn_kv_a_norm, "model.layers.{}.self_attn.kv_a_layernorm.weight"},
    {Role::attn_kv_b, "model.layers.{}.self_attn.kv_b_proj.weight"},
    {Role::ffn_norm, "model.layers.{}.post_attention_layernorm.weight"},
    {Role::ffn_gate, "model.layers.{}.mlp.gate_proj.weight"},
    {Role::ffn_up, "model.layers.{}.mlp.up_proj.weight"},
    {Role::ffn_down, "model.layers.{}.mlp.down_proj.weight"},
    {Role::router, "model.layers.{}.mlp.gate.weight"},
    {Role::correction_bias, "model.layers.{}.mlp.gate.e_score_correction_bias"},
    {Role::expert_gate, "model.layers.{}.mlp.experts.{}.gate_proj.weight"},
    {Role::expert_up, "model.layers.{}.mlp.experts.{}.up_proj.weight"},
    {Role::expert_down, "model.layers.{}.mlp.experts.{}.down_proj.weight"},
    {Role::experts_gate_up, "model.layers.{}.mlp.experts.gate_up_proj"},
    {Role::experts_down, "model.layers.{}.mlp.experts.down_proj"},
    {Role::shared_gate, "model.layers.{}.mlp.shared_experts.gate_proj.weight"},
    {Role::shared_up, "model.layers.{}.mlp.shared_experts.up_proj.weight"},
    {Role::shared_down, "model.layers.{}.mlp.shared_experts.down_proj.weight"},
};

constexpr TensorName kGguf[] = {
    {Role::token_embd, "token_embd.weight"},
    {Role::output_norm, "output_norm.weight"},
    {Role::output, "output.weight"},
    {Role::attn_norm, "blk.{}.attn_norm.weight"},
    {Role::attn_q, "blk.{}.attn_q.weight"},
    {Role::attn_k, "blk.{}.attn_k.weight"},
    {Role::attn_v, "blk.{}.attn_v.weight"},
    {Role::attn_output, "blk.{}.attn_output.weight"},
    {Role::attn_q_norm, "blk.{}.attn_q_norm.weight"},
    {Role::attn_k_norm, "blk.{}.attn_k_norm.weight"},
    {Role::attn_sinks, "blk.{}.attn_sinks.weight"},
    {Role::attn_q_a, "blk.{}.attn_q_a.weight"},
    {Role::attn_q_a_norm, "blk.{}.attn_q_a_norm.weight"},
    {Role::attn_q_b, "blk.{}.attn_q_b.weight"},
    {Role::attn_kv_a, "blk.{}.attn_kv_a_mqa.weight"},
    {Role::attn_kv_a_norm, "blk.{}.attn_kv_a_norm.weight"},
    {Role::attn_kv_b, "blk.{}.attn_kv_b.weight"},
    {Role::attn_k_b, "blk.{}.attn_k_b.weight"},
    {Role::attn_v_b, "blk.{}.attn_v_b.weight"},
    {Role::ffn_norm, "blk.{}.ffn_norm.weight"},
    {Role::ffn_gate, "blk.{}.ffn_gate.weight"},
    {Role::ffn_up, "blk.{}.ffn_up.weight"},
    {Role::ffn_down, "blk.{}.ffn_down.weight"},
    {Role::router, "blk.{}.ffn_gate_inp.weight"},
    {Role::correction_bias, "blk.{}.exp_probs_b.bias"},
    {Role::expert_gate, "blk.{}.ffn_gate.{}.weight"},
    {Role::expert_up, "blk.{}.ffn_up.{}.weight"},
    {Role::expert_down, "blk.{}.ffn_down.{}.weight"},
    {Role::experts_gate, "blk.{}.ffn_gate_exps.weight"},
    {Role::experts_up, "blk.{}.ffn_up_exps.weight"},
    {Role::experts_down, "blk.{}.ffn_down_exps.weight"},
    {Role::experts_gate_up, "blk.{}.ffn_gate_up_exps.weight"},
    {Role::shared_gate, "blk.{}.ffn_gate_shexp.weight"},
    {Role::shared_up, "blk.{}.ffn_up_shexp.weight"},
    {Role::shared_down, "blk.{}.ffn_down_shexp.weight"},
};

std::string_view find_pattern(std::span<const TensorName> names, Role role) {
  for (const TensorName& row : names) {
    if (row.role == role) return row.pattern;
  }
  return {};
}

}  // namespace

std::string tensor_name(const Family& family, io::Container container, Role role, std::int64_t layer, std::int64_t expert) {
  const bool gguf = container == io::Container::gguf;
  std::string_view pattern = find_pattern(gguf ? family.gguf_names : family.huggingface_names, role);
  if (pattern.empty()) pattern = gguf ? find_pattern(kGguf, role) : find_pattern(kHuggingface, role);
  return fmt::format(fmt::runtime(pattern), layer, expert);
}

const Family& find_family(const io::Checkpoint& checkpoint) {
  for (const Family* family : kFamilies) {
    if (family->matches(checkpoint)) return *family;
  }
  std::string known;
  for (const Family* family : kFamilies) known += fmt::format("{}{}", known.empty() ? "" : ", ", family->name);
  const bool gguf = checkpoint.container == io::Container::gguf;
  std::string found = gguf ? gguf_architecture(checkpoint) : huggingface_architecture(checkpoint);
  if (found.empty() && !gguf) found = huggingface_model_type(checkpoint);
  fail(Status::unsupported, "{}: architecture '{}' is none of the families this version runs ({})", checkpoint.path, found,
       known);
}

}  // namespace fathom::model
