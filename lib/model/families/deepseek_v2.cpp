// DeepSeek-V2 (arXiv:2405.04434), V2-Lite, V2.5, Coder-V2, and V3 (arXiv:2412.19437), R1, V3.1: latent attention and
// mixture-of-experts. V3 scores experts by sigmoid, with a bias that balances their load without an auxiliary loss.
#include <cmath>

#include "base/error.hpp"
#include "model/attention/latent/latent.hpp"
#include "model/families/common.hpp"

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
  return is_huggingface(c, "DeepseekV2ForCausalLM", "deepseek_v2") || (is_gguf(c, "deepseek2") && !gguf_sigmoid(c));
}
bool matches_v3(const io::Checkpoint& c) {
  return is_huggingface(c, "DeepseekV3ForCausalLM", "deepseek_v3") || (is_gguf(c, "deepseek2") && gguf_sigmoid(c));
}

// Every head has its own keys and values, made from the shared latent.
void set_latent_attention(Config& c) {
  AttentionSpec& a = c.attention;
  a.head_dim = c.qk_nope_head_dim + c.qk_rope_head_dim;
  a.kv_heads = a.heads;
  a.softmax_scale = default_softmax_scale(a);
  c.rope().dims = c.qk_rope_head_dim;
}

// What DeepseekV2Config and DeepseekV3Config say where config.json is silent, as released with the models.
struct LatentDefaults {
  ClassDefaults common;
  std::int64_t n_routed_experts = 0;  // 0: a dense model
  std::int64_t n_shared_experts = 0, num_experts_per_tok = 0, moe_intermediate_size = 0;
  std::int64_t n_group = 1, topk_group = 1, first_k_dense_replace = 0;
  double routed_scaling_factor = 1.0;
  bool norm_topk_prob = false;
  const char* topk_method = "greedy";
  const char* scoring_func = "softmax";
};
constexpr LatentDefaults kV2Defaults{.common = {.vocab_size = 102400,
                                                .hidden_size = 4096,
                                                .intermediate_size = 11008,
                                                .num_hidden_layers = 30,
                                                .num_attention_heads = 32,
                                                .num_key_value_heads = 32},
                                     .moe_intermediate_size = 1407};
constexpr LatentDefaults kV3Defaults{.common = {.vocab_size = 129280,
                                                .hidden_size = 7168,
                                                .intermediate_size = 18432,
                                                .num_hidden_layers = 61,
                                                .num_attention_heads = 128,
                                                .num_key_value_heads = 128,
                                                .max_position_embeddings = 4096},
                                     .n_routed_experts = 256,
                                     .n_shared_experts = 1,
                                     .num_experts_per_tok = 8,
                                     .moe_intermediate_size = 2048,
                                     .n_group = 8,
                                     .topk_group = 4,
                                     .first_k_dense_replace = 3,
                                     .routed_scaling_factor = 2.5,
                                     .norm_topk_prob = true,
                                     .topk_method = "noaux_tc",
                                     .scoring_func = "sigmoid"};

void read_experts_huggingface(const ConfigReader& r, const LatentDefaults& defaults, Config& c) {
  c.router.experts = r.integer("n_routed_experts", defaults.n_routed_experts, 0);
  if (c.router.experts == 0) return;
  c.router.experts_per_token = defaults.num_experts_per_tok > 0 ? r.integer("num_experts_per_tok", defaults.num_experts_per_tok)
                                                                : r.integer("num_experts_per_tok");
  c.n_shared_experts = r.integer("n_shared_experts", defaults.n_shared_experts, 0);
  c.moe_intermediate_size = r.integer("moe_intermediate_size", defaults.moe_intermediate_size);
  c.router.normalise = r.boolean("norm_topk_prob", defaults.norm_topk_prob);
  c.router.scaling = float(r.number("routed_scaling_factor", defaults.routed_scaling_factor));
  const std::string scoring = r.text("scoring_func", defaults.scoring_func);
  if (scoring != defaults.scoring_func) {
    fail(Status::unsupported, "{}: scoring_func '{}' is not {}, as this family has it", r.origin(), scoring,
         defaults.scoring_func);
  }
  set_mixtures(c, r.integer("first_k_dense_replace", defaults.first_k_dense_replace), r.integer("moe_layer_freq", 1));
  const std::string method = r.text("topk_method", defaults.topk_method);
  if (method != "group_limited_greedy" && method != "noaux_tc" && method != "greedy") {
    fail(Status::unsupported, "{}: topk_method '{}' is not one of greedy, group_limited_greedy, noaux_tc", r.origin(), method);
  }
  const std::int64_t groups = r.integer("n_group", defaults.n_group, 1), kept = r.integer("topk_group", defaults.topk_group, 1);
  if (method == "greedy" && defaults.n_group == 1) return;  // V2's greedy choice does not look at groups
  c.router.groups = groups;
  c.router.groups_kept = kept;
}

Config read_huggingface(const ConfigReader& r, const LatentDefaults& defaults) {
  Config c = read_common_huggingface(r, defaults.common);
  c.q_lora_rank = r.integer("q_lora_rank", 1536, 0);
  c.kv_lora_rank = r.integer("kv_lora_rank", 512);
  c.qk_nope_head_dim = r.integer("qk_nope_head_dim", 128);
  c.qk_rope_head_dim = r.integer("qk_rope_head_dim", 64);
  c.attention.v_head_dim = r.integer("v_head_dim", 128);
  c.qkv_bias = c.output_bias = r.boolean("attention_bias", false);
  c.rope().interleaved = r.boolean("rope_interleave", true);
  set_latent_attention(c);
  if (c.rope().scaling == nn::RopeScaling::yarn) {
    const double all_dim = rope_settings(r).number("mscale_all_dim", 0.0);
    const float mscale = all_dim != 0.0 ? nn::yarn_magnitude(c.rope().factor, all_dim) : 1.0f;
    c.attention.softmax_scale *= mscale * mscale;
  }
  set_layers(c, kLatentAttention);
  read_experts_huggingface(r, defaults, c);
  return c;
}

Config read_gguf(const ConfigSource& source, std::int64_t gating) {
  const ConfigReader& r = source.reader;
  Config c = read_common_gguf(source);
  c.q_lora_rank = r.integer("attention.q_lora_rank", 0);
  if (source.has_tensor("blk.0.attn_q.weight")) c.q_lora_rank = 0;  // the tensors decide
  c.kv_lora_rank = r.integer("attention.kv_lora_rank");
  c.qk_rope_head_dim = r.integer("rope.dimension_count");
  const bool split = r.has("attention.key_length_mla");
  c.qk_nope_head_dim = r.integer(split ? "attention.key_length_mla" : "attention.key_length") - c.qk_rope_head_dim;
  c.attention.v_head_dim = r.integer(split ? "attention.value_length_mla" : "attention.value_length");
  c.rope().interleaved = true;
  set_latent_attention(c);
  if (c.rope().scaling == nn::RopeScaling::yarn) {
    // For this architecture the factor on cos and sin cancels, and the multiplier holds 0.1 * mscale_all_dim.
    c.rope().cos_sin_factor = 1.0f;
    const double multiplier = r.number("rope.scaling.yarn_log_multiplier", 0.0);
    const float mscale = float(1.0 + multiplier * std::log(c.rope().factor));
    c.attention.softmax_scale *= mscale * mscale;
  }
  set_layers(c, kLatentAttention);
  if (r.integer("expert_count", 0) == 0) return c;
  expect_gating(r, gating);
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
  set_mixtures(c, r.integer("leading_dense_block_count", 0), 1);
  return c;
}

Config read_v2(const ConfigSource& source) {
  Config c = source.gguf() ? read_gguf(source, 1) : read_huggingface(source.reader, kV2Defaults);
  c.router.score = nn::RouterScore::softmax;
  c.router.group_score = nn::GroupScore::best;
  return c;
}

Config read_v3(const ConfigSource& source) {
  Config c = source.gguf() ? read_gguf(source, 2) : read_huggingface(source.reader, kV3Defaults);
  c.router.score = nn::RouterScore::sigmoid;
  c.router.group_score = nn::GroupScore::best_two;
  c.correction_bias = c.router.experts > 0;
  return c;
}

}  // namespace

constexpr Family kDeepseekV2{"deepseek_v2", matches_v2, read_v2, {}, {}, {}};
constexpr Family kDeepseekV3{"deepseek_v3", matches_v3, read_v3, {}, {}, {}};

}  // namespace fathom::model
