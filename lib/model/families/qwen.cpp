// Qwen2 and 2.5 (biases on q, k, v; also the Qwen distills of R1), Qwen3 (a norm on every head's q and k), Qwen3-MoE.
#include "base/error.hpp"
#include "model/config_reader.hpp"
#include "model/families.hpp"

namespace fathom::model {
namespace {

bool is(const io::Checkpoint& c, std::string_view architecture, std::string_view model_type, std::string_view gguf) {
  if (c.container == io::Container::gguf) return gguf_architecture(c) == gguf;
  return huggingface_architecture(c) == architecture || huggingface_model_type(c) == model_type;
}
bool matches_qwen2(const io::Checkpoint& c) { return is(c, "Qwen2ForCausalLM", "qwen2", "qwen2"); }
bool matches_qwen3(const io::Checkpoint& c) { return is(c, "Qwen3ForCausalLM", "qwen3", "qwen3"); }
bool matches_qwen3_moe(const io::Checkpoint& c) { return is(c, "Qwen3MoeForCausalLM", "qwen3_moe", "qwen3moe"); }

// Windows count only where use_sliding_window says so: by layer_types, else from max_window_layers on.
void read_windows(const ConfigReader& r, Config& c) {
  const std::int64_t window = r.integer("sliding_window", 0);
  if (!r.boolean("use_sliding_window", false) || window <= 0) return;
  const io::Value::Array& types = r.value("layer_types").array();
  const std::int64_t first = r.integer("max_window_layers", 0);
  for (std::size_t i = 0; i < c.sliding_window.size(); ++i) {
    const bool slides = i < types.size() ? types[i].as_string() == "sliding_attention" : std::int64_t(i) >= first;
    if (slides) c.sliding_window[i] = window;
  }
}

Config read_dense(const io::Checkpoint& checkpoint) {
  if (checkpoint.container == io::Container::gguf) {
    const ConfigReader r = gguf_config(checkpoint);
    Config c = read_common_gguf(r, checkpoint);
    read_rope_scaling_gguf(r, checkpoint, c);
    return c;
  }
  const ConfigReader r = huggingface_config(checkpoint);
  Config c = read_common_huggingface(r);
  read_rope_scaling_huggingface(r, c);
  read_windows(r, c);
  return c;
}

Config read_qwen2(const io::Checkpoint& checkpoint) {
  Config c = read_dense(checkpoint);
  c.family = "qwen2";
  c.qkv_bias = true;  // always, although configurations do not say it
  return c;
}

Config read_qwen3(const io::Checkpoint& checkpoint) {
  Config c = read_dense(checkpoint);
  c.family = "qwen3";
  c.qk_norm = true;
  if (checkpoint.container == io::Container::huggingface) {
    c.qkv_bias = c.output_bias = huggingface_config(checkpoint).boolean("attention_bias", false);
  }
  return c;
}

// A layer is dense when listed in mlp_only_layers, or when decoder_sparse_step skips it.
std::vector<bool> read_moe_layers(const ConfigReader& r, std::size_t layers) {
  const std::int64_t step = r.integer("decoder_sparse_step", 1);
  std::vector<bool> moe(layers);
  for (std::size_t i = 0; i < layers; ++i) moe[i] = step > 0 && (std::int64_t(i) + 1) % step == 0;
  for (const io::Value& listed : r.value("mlp_only_layers").array()) {
    const auto layer = listed.as_int();
    if (layer && *layer >= 0 && *layer < std::int64_t(layers)) moe[std::size_t(*layer)] = false;
  }
  return moe;
}

Config read_qwen3_moe(const io::Checkpoint& checkpoint) {
  Config c = read_qwen3(checkpoint);
  c.family = "qwen3_moe";
  if (checkpoint.container == io::Container::gguf) {
    const ConfigReader r = gguf_config(checkpoint);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.moe_intermediate_size = r.integer("expert_feed_forward_length");
    c.router.normalise = r.boolean("expert_weights_norm", true);
    c.moe_layer.resize(c.sliding_window.size());
    for (std::size_t i = 0; i < c.moe_layer.size(); ++i) {
      c.moe_layer[i] = checkpoint.tensors && checkpoint.tensors->find(fmt::format("blk.{}.ffn_gate_inp.weight", i));
    }
  } else {
    const ConfigReader r = huggingface_config(checkpoint);
    c.router.experts = r.integer("num_experts");
    c.router.experts_per_token = r.integer("num_experts_per_tok");
    c.moe_intermediate_size = r.integer("moe_intermediate_size");
    c.router.normalise = r.boolean("norm_topk_prob", false);
    c.moe_layer = read_moe_layers(r, c.sliding_window.size());
  }
  return c;
}

}  // namespace

constexpr Family kQwen2{"qwen2", matches_qwen2, read_qwen2, {}, {}};
constexpr Family kQwen3{"qwen3", matches_qwen3, read_qwen3, {}, {}};
constexpr Family kQwen3Moe{"qwen3_moe", matches_qwen3_moe, read_qwen3_moe, {}, {}};

}  // namespace fathom::model
