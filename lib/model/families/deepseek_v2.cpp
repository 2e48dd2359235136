// DeepSeek-V2 (arXiv:2405.04434), V2-Lite, V2.5, Coder-V2, and V3 (arXiv:2412.19437), R1, V3.1: latent attention and
// mixture-of-experts. V3 scores experts by sigmoid, with a bias that balances their load without an auxiliary loss.
#include <cmath>

#include "base/error.hpp"
#include "model/config_reader.hpp"
#include "model/families.hpp"

namespace fathom::model {
namespace {

bool gguf_sigmoid(const io::Checkpoint& c) {
  if (!c.tensors) return gguf_config(c).integer("expert_gating_func", 0) == 2;
  if (gguf_config(c).has("expert_gating_func")) return gguf_config(c).integer("expert_gating_func") == 2;
  // Files older than the key: a correction bias means sigmoid.
  for (const io::TensorInfo& t : c.tensors->tensors()) {
    if (t.name.find(".exp_probs_b.") != std::string::npos) return true;
  }
  return false;
}

bool matches_v2(const io::Checkpoint& c) {
  if (c.container == io::Container::gguf) return gguf_architecture(c) == "deepseek2" && !gguf_sigmoid(c);
  return huggingface_architecture(c) == "DeepseekV2ForCausalLM" || huggingface_model_type(c) == "deepseek_v2";
}
bool matches_v3(const io::Checkpoint& c) {
  if (c.container == io::Container::gguf) return gguf_architecture(c) == "deepseek2" && gguf_sigmoid(c);
  return huggingface_architecture(c) == "DeepseekV3ForCausalLM" || huggingface_model_type(c) == "deepseek_v3";
}

void set_head_dims(Config& c) {
  c.attention = Attention::latent;
  c.head_dim = c.qk_nope_head_dim + c.qk_rope_head_dim;
  c.num_key_value_heads = c.num_attention_heads;  // every head has its own keys and values, made from the shared latent
  c.rope.dims = c.qk_rope_head_dim;
  c.softmax_scale = default_softmax_scale(c);
}

void set_moe_layers(Config& c, std::int64_t dense_layers, std::int64_t frequency) {
  c.moe_layer.resize(c.sliding_window.size());
  for (std::size_t i = 0; i < c.moe_layer.size(); ++i) {
    c.moe_layer[i] = std::int64_t(i) >= dense_layers && frequency > 0 && std::int64_t(i) % frequency == 0;
  }
}

Config read_huggingface(const io::Checkpoint& checkpoint) {
  const ConfigReader r = huggingface_config(checkpoint);
  Config c = read_common_huggingface(r);
  c.q_lora_rank = r.integer("q_lora_rank", 0);
  c.kv_lora_rank = r.integer("kv_lora_rank");
  c.qk_nope_head_dim = r.integer("qk_nope_head_dim");
  c.qk_rope_head_dim = r.integer("qk_rope_head_dim");
  c.v_head_dim = r.integer("v_head_dim");
  c.qkv_bias = c.output_bias = r.boolean("attention_bias", false);
  c.rope.interleaved = r.boolean("rope_interleave", true);
  set_head_dims(c);
  read_rope_scaling_huggingface(r, c);
  if (c.rope.scaling == nn::RopeScaling::yarn) {
    const ConfigReader s = r.has("rope_scaling") ? r.member("rope_scaling") : r.member("rope_parameters");
    const double all_dim = s.number("mscale_all_dim", 0.0);
    const float mscale = all_dim != 0.0 ? nn::yarn_magnitude(c.rope.factor, all_dim) : 1.0f;
    c.softmax_scale *= mscale * mscale;
  }
  if (!r.has("n_routed_experts")) return c;
  c.router.experts = r.integer("n_routed_experts");
  c.router.experts_per_token = r.integer("num_experts_per_tok");
  c.n_shared_experts = r.integer("n_shared_experts", 0);
  c.moe_intermediate_size = r.integer("moe_intermediate_size");
  c.router.normalise = r.boolean("norm_topk_prob", false);
  c.router.scaling = float(r.number("routed_scaling_factor", 1.0));
  set_moe_layers(c, r.integer("first_k_dense_replace", 0), r.integer("moe_layer_freq", 1));
  const std::string method = r.text("topk_method", "greedy");
  if (method == "group_limited_greedy" || method == "noaux_tc") {
    c.router.groups = r.integer("n_group", 1);
    c.router.groups_kept = r.integer("topk_group", 1);
  } else if (method != "greedy") {
    fail(Status::unsupported, "{}: topk_method '{}' is not one of greedy, group_limited_greedy, noaux_tc", r.origin(), method);
  }
  return c;
}

Config read_gguf(const io::Checkpoint& checkpoint) {
  const ConfigReader r = gguf_config(checkpoint);
  Config c = read_common_gguf(r, checkpoint);
  c.q_lora_rank = r.integer("attention.q_lora_rank", 0);
  if (checkpoint.tensors && checkpoint.tensors->find("blk.0.attn_q.weight")) c.q_lora_rank = 0;  // the tensors decide
  c.kv_lora_rank = r.integer("attention.kv_lora_rank");
  c.qk_rope_head_dim = r.integer("rope.dimension_count");
  const bool split = r.has("attention.key_length_mla");
  c.qk_nope_head_dim = r.integer(split ? "attention.key_length_mla" : "attention.key_length") - c.qk_rope_head_dim;
  c.v_head_dim = r.integer(split ? "attention.value_length_mla" : "attention.value_length");
  c.qkv_bias = checkpoint.tensors && checkpoint.tensors->find("blk.0.attn_kv_a_mqa.bias");
  c.output_bias = checkpoint.tensors && checkpoint.tensors->find("blk.0.attn_output.bias");
  c.rope.interleaved = true;
  set_head_dims(c);
  read_rope_scaling_gguf(r, checkpoint, c);
  if (c.rope.scaling == nn::RopeScaling::yarn) {
    // For this architecture the factor on cos and sin cancels, and the multiplier holds 0.1 * mscale_all_dim.
    c.rope.cos_sin_factor = 1.0f;
    const double multiplier = r.number("rope.scaling.yarn_log_multiplier", 0.0);
    const float mscale = float(1.0 + multiplier * std::log(c.rope.factor));
    c.softmax_scale *= mscale * mscale;
  }
  if (r.integer("expert_count", 0) == 0) return c;
  c.router.experts = r.integer("expert_count");
  c.router.experts_per_token = r.integer("expert_used_count");
  c.n_shared_experts = r.integer("expert_shared_count", 0);
  c.moe_intermediate_size = r.integer("expert_feed_forward_length");
  c.router.normalise = r.boolean("expert_weights_norm", false);
  c.router.scaling = float(r.number("expert_weights_scale", 1.0));
  if (c.router.scaling == 0.0f) c.router.scaling = 1.0f;
  // Conversions of V3 older than the keys lack them; its shape tells.
  const bool bare_v3 = c.hidden_size == 7168 && c.router.experts == 256 && !r.has("expert_group_count");
  c.router.groups = r.integer("expert_group_count", bare_v3 ? 8 : 1);
  c.router.groups_kept = r.integer("expert_group_used_count", bare_v3 ? 4 : 1);
  set_moe_layers(c, r.integer("leading_dense_block_count", 0), 1);
  return c;
}

// `scoring`: how the family scores experts.
Config read_any(const io::Checkpoint& checkpoint, std::string_view scoring) {
  if (checkpoint.container == io::Container::gguf) return read_gguf(checkpoint);
  const ConfigReader r = huggingface_config(checkpoint);
  const std::string found = r.text("scoring_func", scoring);
  if (found != scoring)
    fail(Status::unsupported, "{}: scoring_func '{}' is not {}, as this family has it", r.origin(), found, scoring);
  return read_huggingface(checkpoint);
}

Config read_v2(const io::Checkpoint& checkpoint) {
  Config c = read_any(checkpoint, "softmax");
  c.family = "deepseek_v2";
  c.router.score = nn::RouterScore::softmax;
  c.router.group_score = nn::GroupScore::best;
  return c;
}

Config read_v3(const io::Checkpoint& checkpoint) {
  Config c = read_any(checkpoint, "sigmoid");
  c.family = "deepseek_v3";
  c.router.score = nn::RouterScore::sigmoid;
  c.router.group_score = nn::GroupScore::best_two;
  c.correction_bias = c.router.experts > 0;
  if (checkpoint.container == io::Container::gguf) return c;
  // V3's configurations may leave these to the class's defaults.
  const ConfigReader r = huggingface_config(checkpoint);
  c.router.normalise = r.boolean("norm_topk_prob", true);
  c.router.groups = r.integer("n_group", 1);
  c.router.groups_kept = r.integer("topk_group", 1);
  return c;
}

}  // namespace

constexpr Family kDeepseekV2{"deepseek_v2", matches_v2, read_v2, {}, {}};
constexpr Family kDeepseekV3{"deepseek_v3", matches_v3, read_v3, {}, {}};

}  // namespace fathom::model
