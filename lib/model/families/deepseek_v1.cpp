// DeepSeek-MoE-16B (DeepSeekMoE, arXiv:2401.06066): Llama's attention, softmax routing without renormalisation, shared experts.
#include "base/error.hpp"
#include "model/families/common.hpp"

namespace fathom::model {
namespace {

bool matches(const io::Checkpoint& c) { return is_huggingface(c, "DeepseekForCausalLM", "deepseek") || is_gguf(c, "deepseek"); }

// DeepseekConfig.
constexpr ClassDefaults kDefaults{.vocab_size = 102400,
                                  .hidden_size = 4096,
                                  .intermediate_size = 11008,
                                  .num_hidden_layers = 30,
                                  .num_attention_heads = 32,
                                  .num_key_value_heads = 32};

Config read_config(const ConfigSource& source) {
  Config c;
  std::int64_t dense_layers = 0, frequency = 1;
  if (source.gguf()) {
    const ConfigReader& r = source.reader;
    c = read_common_gguf(source);
    c.rope().interleaved = true;
    dense_layers = r.integer("leading_dense_block_count", 0);
    expect_gating(r, 1);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.n_shared_experts = r.integer("expert_shared_count", 0);
    c.moe_intermediate_size = r.integer("expert_feed_forward_length");
    c.router.scaling = float(r.number("expert_weights_scale", 1.0));
    c.router.normalise = r.boolean("expert_weights_norm", false);
  } else {
    const ConfigReader& r = source.reader;
    c = read_common_huggingface(r, kDefaults);
    c.qkv_bias = c.output_bias = r.boolean("attention_bias", false);
    dense_layers = r.integer("first_k_dense_replace", 0);
    frequency = r.integer("moe_layer_freq", 1);
    c.router.experts = r.integer("n_routed_experts");
    c.router.experts_per_token = r.integer("num_experts_per_tok");
    c.n_shared_experts = r.integer("n_shared_experts", 0);
    c.moe_intermediate_size = r.integer("moe_intermediate_size");
    c.router.normalise = r.boolean("norm_topk_prob", false);
    const std::string scoring = r.text("scoring_func", "softmax");
    if (scoring != "softmax") {
      fail(Status::unsupported, "{}: scoring_func '{}' is not softmax, as this family has it", r.origin(), scoring);
    }
    expect_full_attention(r);
  }
  set_mixtures(c, dense_layers, frequency);
  return c;
}

}  // namespace

constexpr Family kDeepseekV1{"deepseek_v1", matches, read_config, {}, {}, {}};

}  // namespace fathom::model
