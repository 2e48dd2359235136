// Llama and what shares its shape: DeepSeek LLM, the Llama distills of R1, Mistral, Mixtral.
// GGUF files of these store q and k with their rows permuted, so that pairs are interleaved there and half-split in
// Hugging Face checkpoints; the weights are read as they are, and the rotation follows.
#include "model/config_reader.hpp"
#include "model/families.hpp"

namespace fathom::model {
namespace {

bool is_gguf(const io::Checkpoint& c) { return c.container == io::Container::gguf; }
bool gguf_llama_experts(const io::Checkpoint& c) { return gguf_config(c).integer("expert_count", 0) > 0; }

bool matches_llama(const io::Checkpoint& c) {
  if (is_gguf(c)) return gguf_architecture(c) == "llama" && !gguf_llama_experts(c);
  return huggingface_architecture(c) == "LlamaForCausalLM" || huggingface_model_type(c) == "llama";
}
bool matches_mistral(const io::Checkpoint& c) {
  return !is_gguf(c) && (huggingface_architecture(c) == "MistralForCausalLM" || huggingface_model_type(c) == "mistral");
}
bool matches_mixtral(const io::Checkpoint& c) {
  if (is_gguf(c)) return gguf_architecture(c) == "llama" && gguf_llama_experts(c);
  return huggingface_architecture(c) == "MixtralForCausalLM" || huggingface_model_type(c) == "mixtral";
}

Config read_gguf(const io::Checkpoint& checkpoint) {
  const ConfigReader r = gguf_config(checkpoint);
  Config c = read_common_gguf(r, checkpoint);
  read_rope_scaling_gguf(r, checkpoint, c);
  c.rope.interleaved = true;
  for (std::int64_t& window : c.sliding_window) window = r.integer("attention.sliding_window", 0);
  return c;
}

Config read_llama(const io::Checkpoint& checkpoint) {
  Config c;
  if (is_gguf(checkpoint)) {
    c = read_gguf(checkpoint);
    // Converters keep the biases of the few Llama-shaped models that have them.
    c.qkv_bias = checkpoint.tensors && checkpoint.tensors->find("blk.0.attn_q.bias");
    c.output_bias = checkpoint.tensors && checkpoint.tensors->find("blk.0.attn_output.bias");
  } else {
    const ConfigReader r = huggingface_config(checkpoint);
    c = read_common_huggingface(r);
    read_rope_scaling_huggingface(r, c);
    c.qkv_bias = c.output_bias = r.boolean("attention_bias", false);
  }
  c.family = "llama";
  return c;
}

// Every layer slides when the configuration has a window (v0.1); v0.2 and later have none.
Config read_mistral(const io::Checkpoint& checkpoint) {
  const ConfigReader r = huggingface_config(checkpoint);
  Config c = read_common_huggingface(r);
  read_rope_scaling_huggingface(r, c);
  for (std::int64_t& window : c.sliding_window) window = r.integer("sliding_window", 0);
  c.family = "mistral";
  return c;
}

Config read_mixtral(const io::Checkpoint& checkpoint) {
  Config c;
  if (is_gguf(checkpoint)) {
    const ConfigReader r = gguf_config(checkpoint);
    c = read_gguf(checkpoint);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.moe_intermediate_size = r.integer("expert_feed_forward_length", c.intermediate_size);
  } else {
    const ConfigReader r = huggingface_config(checkpoint);
    c = read_mistral(checkpoint);
    c.router.experts = r.integer("num_local_experts");
    c.router.experts_per_token = r.integer("num_experts_per_tok");
    c.moe_intermediate_size = c.intermediate_size;
  }
  c.router.normalise = true;
  c.moe_layer.assign(c.sliding_window.size(), true);
  c.family = "mixtral";
  return c;
}

constexpr TensorName kMixtralNames[] = {
    {Role::router, "model.layers.{}.block_sparse_moe.gate.weight"},
    {Role::expert_gate, "model.layers.{}.block_sparse_moe.experts.{}.w1.weight"},
    {Role::expert_up, "model.layers.{}.block_sparse_moe.experts.{}.w3.weight"},
    {Role::expert_down, "model.layers.{}.block_sparse_moe.experts.{}.w2.weight"},
};

}  // namespace

constexpr Family kLlama{"llama", matches_llama, read_llama, {}, {}};
constexpr Family kMistral{"mistral", matches_mistral, read_mistral, {}, {}};
constexpr Family kMixtral{"mixtral", matches_mixtral, read_mixtral, kMixtralNames, {}};

}  // namespace fathom::model
