// Llama and what shares its shape: DeepSeek LLM, the Llama distills of R1, Mistral, Mixtral.
// GGUF files of these store q and k with their rows permuted, so that pairs are interleaved there and half-split in
// Hugging Face checkpoints; the weights are read as they are, and the rotation follows.
#include "model/families/common.hpp"
#include "model/feed_forward/experts/experts.hpp"

namespace fathom::model {
namespace {

bool gguf_experts(const io::Checkpoint& c) { return gguf_config(c).integer("expert_count", 0) > 0; }

bool matches_llama(const io::Checkpoint& c) {
  return is_huggingface(c, "LlamaForCausalLM", "llama") || (is_gguf(c, "llama") && !gguf_experts(c));
}
bool matches_mistral(const io::Checkpoint& c) { return is_huggingface(c, "MistralForCausalLM", "mistral"); }
bool matches_mixtral(const io::Checkpoint& c) {
  return is_huggingface(c, "MixtralForCausalLM", "mixtral") || (is_gguf(c, "llama") && gguf_experts(c));
}

// LlamaConfig, MistralConfig, MixtralConfig.
constexpr ClassDefaults kLlamaDefaults{
    .vocab_size = 32000, .hidden_size = 4096, .intermediate_size = 11008, .num_hidden_layers = 32, .num_attention_heads = 32};
constexpr ClassDefaults kMistralDefaults{.vocab_size = 32000,
                                         .hidden_size = 4096,
                                         .intermediate_size = 14336,
                                         .num_hidden_layers = 32,
                                         .num_attention_heads = 32,
                                         .num_key_value_heads = 8,
                                         .max_position_embeddings = 131072};
constexpr ClassDefaults kMixtralDefaults{.vocab_size = 32000,
                                         .hidden_size = 4096,
                                         .intermediate_size = 14336,
                                         .num_hidden_layers = 32,
                                         .num_attention_heads = 32,
                                         .num_key_value_heads = 8,
                                         .max_position_embeddings = 131072,
                                         .rms_norm_eps = 1e-5,
                                         .rope_theta = 1e6};

Config read_gguf(const ConfigSource& source) {
  const ConfigReader& r = source.reader;
  Config c = read_common_gguf(source);
  c.rope().interleaved = true;
  for (LayerSpec& layer : c.layers) layer.attention.sliding_window = r.integer("attention.sliding_window", 0);
  return c;
}

Config read_llama(const ConfigSource& source) {
  Config c;
  if (source.gguf()) {
    c = read_gguf(source);  // the loader takes biases where the file has them
  } else {
    const ConfigReader& r = source.reader;
    c = read_common_huggingface(r, kLlamaDefaults);
    c.qkv_bias = c.output_bias = r.boolean("attention_bias", false);
    c.mlp_bias = r.boolean("mlp_bias", false);
    expect_full_attention(r);
  }
  return c;
}

// Every layer slides when the configuration has a window (v0.1); v0.2 and later say null.
Config read_windowed(const ConfigReader& r, const ClassDefaults& defaults, std::int64_t window_by_default) {
  Config c = read_common_huggingface(r, defaults);
  const std::int64_t window = r.integer("sliding_window", window_by_default, 0);
  for (LayerSpec& layer : c.layers) layer.attention.sliding_window = window;
  if (window == 0) expect_full_attention(r);
  return c;
}

Config read_mistral(const ConfigSource& source) { return read_windowed(source.reader, kMistralDefaults, 4096); }

Config read_mixtral(const ConfigSource& source) {
  Config c;
  if (source.gguf()) {
    const ConfigReader& r = source.reader;
    c = read_gguf(source);
    expect_gating(r, 1);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.moe_intermediate_size = r.integer("expert_feed_forward_length", c.intermediate_size);
  } else {
    const ConfigReader& r = source.reader;
    c = read_windowed(r, kMixtralDefaults, 0);
    c.router.experts = r.integer("num_local_experts", 8);
    c.router.experts_per_token = r.integer("num_experts_per_tok", 2);
    c.moe_intermediate_size = c.intermediate_size;
  }
  c.router.normalise = true;
  set_mixtures(c, 0, 1);
  return c;
}

constexpr OtherName kMixtralNames[] = {
    {&kRouter, "model.layers.{}.block_sparse_moe.gate.weight"},
    {&kExpertGate, "model.layers.{}.block_sparse_moe.experts.{}.w1.weight"},
    {&kExpertUp, "model.layers.{}.block_sparse_moe.experts.{}.w3.weight"},
    {&kExpertDown, "model.layers.{}.block_sparse_moe.experts.{}.w2.weight"},
};

}  // namespace

constexpr Family kLlama{"llama", matches_llama, read_llama, {}, {}, {}};
constexpr Family kMistral{"mistral", matches_mistral, read_mistral, {}, {}, {}};
constexpr Family kMixtral{"mixtral", matches_mixtral, read_mixtral, kMixtralNames, {}, {}};

}  // namespace fathom::model
