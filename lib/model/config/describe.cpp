#include <fmt/format.h>

#include <algorithm>

#include "model/config/config.hpp"

namespace fathom::model {

std::vector<std::pair<std::string, std::string>> describe(const Config& c) {
  std::vector<std::pair<std::string, std::string>> out;
  const AttentionSpec& a = c.attention;
  const bool latent = c.kv_lora_rank > 0;
  const auto add = [&](std::string_view name, const auto& value) { out.emplace_back(name, fmt::format("{}", value)); };
  add("num_hidden_layers", c.num_hidden_layers);
  add("hidden_size", c.hidden_size);
  add("vocab_size", c.vocab_size);
  add("max_position_embeddings", c.max_position_embeddings);
  add("rms_norm_eps", c.rms_norm_eps);
  add("tie_word_embeddings", c.tie_word_embeddings);
  add("attention", latent ? "latent (MLA)" : "grouped-query");
  add("num_attention_heads", a.heads);
  if (latent) {
    add("q_lora_rank", c.q_lora_rank);
    add("kv_lora_rank", c.kv_lora_rank);
    add("qk_nope_head_dim", c.qk_nope_head_dim);
    add("qk_rope_head_dim", c.qk_rope_head_dim);
    add("v_head_dim", a.v_head_dim);
  } else {
    add("num_key_value_heads", a.kv_heads);
    add("head_dim", a.head_dim);
    if (c.qk_norm) add("qk_norm", true);
    if (c.qkv_bias) add("qkv_bias", true);
    if (c.sinks) add("attention_sinks", true);
  }
  std::int64_t sliding = 0, window = 0;
  for (const LayerSpec& layer : c.layers) {
    sliding += layer.attention.sliding_window > 0;
    window = std::max(window, layer.attention.sliding_window);
  }
  if (sliding) {
    add("sliding_window", window);
    add("sliding_layers", sliding);
  }
  add("softmax_scale", a.softmax_scale);
  add("rope_theta", c.rope().theta);
  add("rope_pairs", c.rope().interleaved ? "interleaved" : "half-split");
  constexpr const char* kScaling[] = {"none", "linear", "llama3", "yarn"};
  if (c.rope().scaling != nn::RopeScaling::none) {
    add("rope_scaling", kScaling[int(c.rope().scaling)]);
    add("rope_factor", c.rope().factor);
  }
  if (!c.rope().frequency_divisors.empty()) add("rope_scaling", "frequency factors from the file");
  if (c.intermediate_size) add("intermediate_size", c.intermediate_size);
  if (c.router.experts) {
    constexpr const char* kScores[] = {"softmax", "sigmoid", "softmax over the chosen"};
    add("experts", c.router.experts);
    add("experts_per_token", c.router.experts_per_token);
    add("shared_experts", c.n_shared_experts);
    add("moe_intermediate_size", c.moe_intermediate_size);
    add("router_score", kScores[int(c.router.score)]);
    if (c.router.groups > 1) add("expert_groups", fmt::format("{}, {} kept", c.router.groups, c.router.groups_kept));
    add("norm_topk_prob", c.router.normalise);
    add("routed_scaling_factor", c.router.scaling);
    std::int64_t dense = 0;
    for (const LayerSpec& layer : c.layers) dense += !layer.routed;
    add("dense_layers", dense);
  }
  return out;
}

}  // namespace fathom::model
