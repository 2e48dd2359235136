#include "model/config/config.hpp"

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

void validate_rope(const nn::RopeConfig& rope, const Checker& check) {
  check.that(rope.dims % 2 == 0, "the number of rotated dimensions is odd");
  check.that(rope.theta > 1.0 && std::isfinite(rope.theta), "rope_theta is not a number above 1");
  check.that(rope.factor > 0.0 && std::isfinite(rope.factor), "the rope scaling factor is not a positive number");
  const bool needs_original = rope.scaling == nn::RopeScaling::llama3 || rope.scaling == nn::RopeScaling::yarn;
  check.that(!needs_original || rope.original_context > 0, "rope scaling lacks original_max_position_embeddings");
  check.that(rope.beta_fast > 0.0, "beta_fast of the rope scaling is not above 0");
  check.that(rope.beta_slow > 0.0, "beta_slow of the rope scaling is not above 0");
  check.that(rope.low_freq_factor > 0.0, "low_freq_factor of the rope scaling is not above 0");
  check.that(rope.high_freq_factor > rope.low_freq_factor, "high_freq_factor of the rope scaling is not above low_freq_factor");
  check.that(std::isfinite(rope.cos_sin_factor) && rope.cos_sin_factor > 0.0f,
             "the magnitude that rope scaling gives cos and sin is not a positive number");
  check.that(rope.frequency_divisors.empty() || std::int64_t(rope.frequency_divisors.size()) == rope.dims / 2,
             "the rope frequency factors are not one for each rotated pair");
}

void validate_attention(const Config& c, const AttentionSpec& a, const Checker& check) {
  check.in_range("num_attention_heads", a.heads, 1, kMaxHeads);
  check.in_range("head_dim", a.head_dim, 1, kMaxHeadDim);
  check.in_range("v_head_dim", a.v_head_dim, 1, kMaxHeadDim);
  check.in_range("num_key_value_heads", a.kv_heads, 1, a.heads);
  check.that(a.heads % a.kv_heads == 0, "num_attention_heads is not a multiple of num_key_value_heads");
  check.that(a.rope < c.ropes.size(), "a layer's rotary setting is missing");
  check.in_range("rotated dimensions", c.ropes[a.rope].dims, 2, a.head_dim);
  check.that(std::isfinite(a.softmax_scale) && a.softmax_scale > 0.0f, "the softmax scale is not a positive number");
  check.in_range("sliding_window", a.sliding_window, 0, kMaxContext);
}

// kv_lora_rank is 0 where no layer has latent attention.
void validate_latents(const Config& c, const Checker& check) {
  if (c.kv_lora_rank == 0 && c.qk_rope_head_dim == 0) return;
  check.in_range("kv_lora_rank", c.kv_lora_rank, 1, kMaxDim);
  check.in_range("q_lora_rank", c.q_lora_rank, 0, kMaxDim);
  check.in_range("qk_nope_head_dim", c.qk_nope_head_dim, 1, kMaxHeadDim);
  check.in_range("qk_rope_head_dim", c.qk_rope_head_dim, 2, kMaxHeadDim);
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
}

}  // namespace

void validate(const Config& c, std::string_view origin) {
  const Checker check(origin);
  check.in_range("num_hidden_layers", c.num_hidden_layers, 1, kMaxLayers);
  check.in_range("hidden_size", c.hidden_size, 1, kMaxDim);
  check.in_range("vocab_size", c.vocab_size, 1, kMaxVocab);
  check.in_range("max_position_embeddings", c.max_position_embeddings, 1, kMaxContext);
  check.that(c.rms_norm_eps >= 0.0f && c.rms_norm_eps < 1.0f, "rms_norm_eps is not in [0, 1)");
  check.that(std::int64_t(c.layers.size()) == c.num_hidden_layers, "layers are not as many as num_hidden_layers");
  validate_latents(c, check);
  for (const nn::RopeConfig& rope : c.ropes) validate_rope(rope, check);
  bool any_dense = false;
  for (const LayerSpec& layer : c.layers) {
    validate_attention(c, layer.attention, check);
    any_dense |= !layer.routed;
  }
  const bool any_routed = std::any_of(c.layers.begin(), c.layers.end(), [](const LayerSpec& layer) { return layer.routed; });
  check.that(!any_routed || c.router.experts != 0, "layers are mixtures, and there are no experts");
  if (c.router.experts != 0) validate_experts(c, check);
  if (any_dense) check.in_range("intermediate_size", c.intermediate_size, 1, kMaxDim);
  const bool clamps = c.activation == Activation::swiglu_oai;
  check.that(!clamps || (std::isfinite(c.swiglu_limit) && c.swiglu_limit > 0.0f), "swiglu_limit is not a positive number");
}

}  // namespace fathom::model
