#include "model/config.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fathom::model {
namespace {

class Checker {
 public:
  explicit Checker(std::string_view origin) : origin_(origin) {}

  void in_range(std::string_view field, std::int64_t value, std::int64_t low, std::int64_t high) const {
    if (value < low || value > high) {
      fail(Status::corrupt_file, "{}: {} is {}, expected {} to {}", origin_, field, value, low, high);
    }
  }
  void that(bool holds, std::string_view complaint) const {
    if (!holds) fail(Status::corrupt_file, "{}: {}", origin_, complaint);
  }

 private:
  std::string_view origin_;
};

// Far above every published model, far below what could overflow a product of three.
constexpr std::int64_t kMaxDim = 1 << 20;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHeads = 4096;
constexpr std::int64_t kMaxHeadDim = 4096;
constexpr std::int64_t kMaxExperts = 4096;
constexpr std::int64_t kMaxVocab = 1 << 24;
constexpr std::int64_t kMaxContext = std::int64_t{1} << 32;

void validate_attention(const Config& c, const Checker& check) {
  check.in_range("num_attention_heads", c.num_attention_heads, 1, kMaxHeads);
  check.in_range("head_dim", c.head_dim, 1, kMaxHeadDim);
  check.in_range("v_head_dim", c.v_head_dim, 1, kMaxHeadDim);
  if (c.attention == Attention::latent) {
    check.in_range("kv_lora_rank", c.kv_lora_rank, 1, kMaxDim);
    check.in_range("q_lora_rank", c.q_lora_rank, 0, kMaxDim);
    check.in_range("qk_nope_head_dim", c.qk_nope_head_dim, 1, kMaxHeadDim);
    check.in_range("qk_rope_head_dim", c.qk_rope_head_dim, 2, kMaxHeadDim);
  } else {
    check.in_range("num_key_value_heads", c.num_key_value_heads, 1, c.num_attention_heads);
    check.that(c.num_attention_heads % c.num_key_value_heads == 0,
               "num_attention_heads is not a multiple of num_key_value_heads");
  }
  check.in_range("rotated dimensions", c.rope.dims, 2, c.head_dim);
  check.that(c.rope.dims % 2 == 0, "the number of rotated dimensions is odd");
  check.that(c.rope.theta > 1.0 && std::isfinite(c.rope.theta), "rope_theta is not a number above 1");
  check.that(c.rope.factor > 0.0 && std::isfinite(c.rope.factor), "the rope scaling factor is not a positive number");
  const bool needs_original = c.rope.scaling == nn::RopeScaling::llama3 || c.rope.scaling == nn::RopeScaling::yarn;
  check.that(!needs_original || c.rope.original_context > 0, "rope scaling lacks original_max_position_embeddings");
  check.that(c.rope.beta_fast > 0.0, "beta_fast of the rope scaling is not above 0");
  check.that(c.rope.beta_slow > 0.0, "beta_slow of the rope scaling is not above 0");
  check.that(c.rope.low_freq_factor > 0.0, "low_freq_factor of the rope scaling is not above 0");
  check.that(c.rope.high_freq_factor > c.rope.low_freq_factor,
             "high_freq_factor of the rope scaling is not above low_freq_factor");
  check.that(std::isfinite(c.rope.cos_sin_factor) && c.rope.cos_sin_factor > 0.0f,
             "the magnitude that rope scaling gives cos and sin is not a positive number");
  check.that(c.rope.frequency_divisors.empty() || std::int64_t(c.rope.frequency_divisors.size()) == c.rope.dims / 2,
             "the rope frequency factors are not one for each rotated pair");
  check.that(std::isfinite(c.softmax_scale) && c.softmax_scale > 0.0f, "the softmax scale is not a positive number");
  check.that(std::int64_t(c.sliding_window.size()) == c.num_hidden_layers, "sliding windows are not one for each layer");
  for (std::int64_t window : c.sliding_window) check.in_range("sliding_window", window, 0, kMaxContext);
}

void validate_experts(const Config& c, const Checker& check) {
  const nn::RouterConfig& r = c.router;
  check.in_range("the number of experts", r.experts, 1, kMaxExperts);
  check.in_range("num_experts_per_tok", r.experts_per_token, 1, r.experts);
  check.in_range("n_group", r.groups, 1, r.experts);
  check.in_range("topk_group", r.groups_kept, 1, r.groups);
  check.that(r.experts % r.groups == 0, "the number of experts is not a multiple of n_group");
  check.that(r.experts_per_token <= r.experts / r.groups * r.groups_kept,
             "num_experts_per_tok is more than the experts of topk_group groups");
  check.in_range("moe_intermediate_size", c.moe_intermediate_size, 1, kMaxDim);
  check.in_range("n_shared_experts", c.n_shared_experts, 0, 64);
  check.that(std::isfinite(r.scaling), "routed_scaling_factor is not a number");
  check.that(std::int64_t(c.moe_layer.size()) == c.num_hidden_layers, "layer kinds are not one for each layer");
}

}  // namespace

void validate(const Config& c, std::string_view origin) {
  const Checker check(origin);
  check.in_range("num_hidden_layers", c.num_hidden_layers, 1, kMaxLayers);
  check.in_range("hidden_size", c.hidden_size, 1, kMaxDim);
  check.in_range("vocab_size", c.vocab_size, 1, kMaxVocab);
  check.in_range("max_position_embeddings", c.max_position_embeddings, 1, kMaxContext);
  check.that(c.rms_norm_eps >= 0.0f && c.rms_norm_eps < 1.0f, "rms_norm_eps is not in [0, 1)");
  validate_attention(c, check);
  bool any_dense = c.router.experts == 0;
  if (c.router.experts != 0) {
    validate_experts(c, check);
    for (bool moe : c.moe_layer) any_dense |= !moe;
  }
  if (any_dense) check.in_range("intermediate_size", c.intermediate_size, 1, kMaxDim);
  const bool clamps = c.activation == Activation::swiglu_oai;
  check.that(!clamps || (std::isfinite(c.swiglu_limit) && c.swiglu_limit > 0.0f), "swiglu_limit is not a positive number");
}

std::vector<std::pair<std::string, std::string>> describe(const Config& c) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](std::string_view name, const auto& value) { out.emplace_back(name, fmt::format("{}", value)); };
  add("num_hidden_layers", c.num_hidden_layers);
  add("hidden_size", c.hidden_size);
  add("vocab_size", c.vocab_size);
  add("max_position_embeddings", c.max_position_embeddings);
  add("rms_norm_eps", c.rms_norm_eps);
  add("tie_word_embeddings", c.tie_word_embeddings);
  add("attention", c.attention == Attention::latent ? "latent (MLA)" : "grouped-query");
  add("num_attention_heads", c.num_attention_heads);
  if (c.attention == Attention::latent) {
    add("q_lora_rank", c.q_lora_rank);
    add("kv_lora_rank", c.kv_lora_rank);
    add("qk_nope_head_dim", c.qk_nope_head_dim);
    add("qk_rope_head_dim", c.qk_rope_head_dim);
    add("v_head_dim", c.v_head_dim);
  } else {
    add("num_key_value_heads", c.num_key_value_heads);
    add("head_dim", c.head_dim);
    if (c.qk_norm) add("qk_norm", true);
    if (c.qkv_bias) add("qkv_bias", true);
    if (c.sinks) add("attention_sinks", true);
  }
  std::int64_t sliding = 0;
  for (std::int64_t window : c.sliding_window) {
    if (window > 0) ++sliding;
  }
  if (sliding) {
    add("sliding_window", *std::max_element(c.sliding_window.begin(), c.sliding_window.end()));
    add("sliding_layers", sliding);
  }
  add("softmax_scale", c.softmax_scale);
  add("rope_theta", c.rope.theta);
  add("rope_pairs", c.rope.interleaved ? "interleaved" : "half-split");
  constexpr const char* kScaling[] = {"none", "linear", "llama3", "yarn"};
  if (c.rope.scaling != nn::RopeScaling::none) {
    add("rope_scaling", kScaling[int(c.rope.scaling)]);
    add("rope_factor", c.rope.factor);
  }
  if (!c.rope.frequency_divisors.empty()) add("rope_scaling", "frequency factors from the file");
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
    for (bool moe : c.moe_layer) dense += !moe;
    add("dense_layers", dense);
  }
  return out;
}

}  // namespace fathom::model
