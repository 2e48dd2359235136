// DeepSeek-MoE-16B (DeepSeekMoE, arXiv:2401.06066): Llama's attention, softmax routing without renormalisation, shared experts.
#include "model/config_reader.hpp"
#include "model/families.hpp"

namespace fathom::model {
namespace {

bool matches(const io::Checkpoint& c) {
  if (c.container == io::Container::gguf) return gguf_architecture(c) == "deepseek";
  return huggingface_architecture(c) == "DeepseekForCausalLM" || huggingface_model_type(c) == "deepseek";
}

Config read_config(const io::Checkpoint& checkpoint) {
  Config c;
  std::int64_t dense_layers = 0, frequency = 1;
  if (checkpoint.container == io::Container::gguf) {
    const ConfigReader r = gguf_config(checkpoint);
    c = read_common_gguf(r, checkpoint);
    read_rope_scaling_gguf(r, checkpoint, c);
    c.rope.interleaved = true;
    dense_layers = r.integer("leading_dense_block_count", 0);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.n_shared_experts = r.integer("expert_shared_count", 0);
    c.moe_intermediate_size = r.integer("expert_feed_forward_length");
    c.router.scaling = float(r.number("expert_weights_scale", 1.0));
    c.router.normalise = r.boolean("expert_weights_norm", false);
  } else {
    const ConfigReader r = huggingface_config(checkpoint);
    c = read_common_huggingface(r);
    read_rope_scaling_huggingface(r, c);
    c.qkv_bias = c.output_bias = r.boolean("attention_bias", false);
    dense_layers = r.integer("first_k_dense_replace", 0);
    frequency = r.integer("moe_layer_freq", 1);
    c.router.experts = r.integer("n_routed_experts");
    c.router.experts_per_token = r.integer("num_experts_per_tok");
    c.n_shared_experts = r.integer("n_shared_experts", 0);
    c.moe_intermediate_size = r.integer("moe_intermediate_size");
    c.router.normalise = r.boolean("norm_topk_prob", false);
  }
  c.moe_layer.resize(c.sliding_window.size());
  for (std::size_t i = 0; i < c.moe_layer.size(); ++i) {
    c.moe_layer[i] = std::int64_t(i) >= dense_layers && frequency > 0 && std::int64_t(i) % frequency == 0;
  }
  c.family = "deepseek_v1";
  return c;
}

}  // namespace

constexpr Family kDeepseekV1{"deepseek_v1", matches, read_config, {}, {}};

}  // namespace fathom::model
