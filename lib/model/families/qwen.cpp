// Qwen2 and 2.5 (biases on q, k, v; also the Qwen distills of R1), Qwen3 (a norm on every head's q and k), Qwen3-MoE.
#include "base/error.hpp"
#include "model/families/common.hpp"

namespace fathom::model {
namespace {

bool matches_qwen2(const io::Checkpoint& c) { return is_huggingface(c, "Qwen2ForCausalLM", "qwen2") || is_gguf(c, "qwen2"); }
bool matches_qwen3(const io::Checkpoint& c) { return is_huggingface(c, "Qwen3ForCausalLM", "qwen3") || is_gguf(c, "qwen3"); }
bool matches_qwen3_moe(const io::Checkpoint& c) {
  return is_huggingface(c, "Qwen3MoeForCausalLM", "qwen3_moe") || is_gguf(c, "qwen3moe");
}

// Windows count only where use_sliding_window says so: by layer_types, else from max_window_layers on.
void read_windows(const ConfigReader& r, Config& c) {
  const std::int64_t window = r.integer("sliding_window", 4096, 0), first = r.integer("max_window_layers", 28);
  const std::vector<bool> slides = read_sliding_layers(r);
  if (!r.boolean("use_sliding_window", false) || window <= 0) return;
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    if (i < slides.size() ? slides[i] : std::int64_t(i) >= first) c.layers[i].attention.sliding_window = window;
  }
}

// Qwen2Config, Qwen3Config, Qwen3MoeConfig.
constexpr ClassDefaults kQwen2Defaults{.vocab_size = 151936,
                                       .hidden_size = 4096,
                                       .intermediate_size = 22016,
                                       .num_hidden_layers = 32,
                                       .num_attention_heads = 32,
                                       .num_key_value_heads = 32,
                                       .max_position_embeddings = 32768};
constexpr ClassDefaults kQwen3Defaults{.vocab_size = 151936,
                                       .hidden_size = 4096,
                                       .intermediate_size = 22016,
                                       .num_hidden_layers = 32,
                                       .num_attention_heads = 32,
                                       .num_key_value_heads = 32,
                                       .head_dim = 128,
                                       .max_position_embeddings = 32768};
constexpr ClassDefaults kQwen3MoeDefaults{.vocab_size = 151936,
                                          .hidden_size = 2048,
                                          .intermediate_size = 6144,
                                          .num_hidden_layers = 24,
                                          .num_attention_heads = 32,
                                          .num_key_value_heads = 4,
                                          .max_position_embeddings = 32768};

Config read_dense(const ConfigSource& source, const ClassDefaults& defaults) {
  if (source.gguf()) return read_common_gguf(source);
  Config c = read_common_huggingface(source.reader, defaults);
  read_windows(source.reader, c);
  return c;
}

Config read_qwen2(const ConfigSource& source) {
  Config c = read_dense(source, kQwen2Defaults);
  c.qkv_bias = true;  // always, although configurations do not say it
  return c;
}

Config read_with_head_norms(const ConfigSource& source, const ClassDefaults& defaults) {
  Config c = read_dense(source, defaults);
  c.qk_norm = true;
  if (!source.gguf()) c.qkv_bias = c.output_bias = source.reader.boolean("attention_bias", false);
  return c;
}

Config read_qwen3(const ConfigSource& source) { return read_with_head_norms(source, kQwen3Defaults); }

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

Config read_qwen3_moe(const ConfigSource& source) {
  Config c = read_with_head_norms(source, kQwen3MoeDefaults);
  if (source.gguf()) {
    const ConfigReader& r = source.reader;
    expect_gating(r, 1);
    c.router.experts = r.integer("expert_count");
    c.router.experts_per_token = r.integer("expert_used_count");
    c.moe_intermediate_size = r.integer("expert_feed_forward_length");
    c.router.normalise = r.boolean("expert_weights_norm", true);
    for (std::size_t i = 0; i < c.layers.size(); ++i) {
      if (source.has_tensor(fmt::format("blk.{}.ffn_gate_inp.weight", i))) set_mixture(c, std::int64_t(i));
    }
  } else {
    const ConfigReader& r = source.reader;
    c.router.experts = r.integer("num_experts", 128);
    c.router.experts_per_token = r.integer("num_experts_per_tok", 8);
    c.moe_intermediate_size = r.integer("moe_intermediate_size", 768);
    c.router.normalise = r.boolean("norm_topk_prob", false);
    const std::vector<bool> mixtures = read_moe_layers(r, c.layers.size());
    for (std::size_t i = 0; i < mixtures.size(); ++i) {
      if (mixtures[i]) set_mixture(c, std::int64_t(i));
    }
  }
  return c;
}

}  // namespace

constexpr Family kQwen2{"qwen2", matches_qwen2, read_qwen2, {}, {}, {}};
constexpr Family kQwen3{"qwen3", matches_qwen3, read_qwen3, {}, {}, {}};
constexpr Family kQwen3Moe{"qwen3_moe", matches_qwen3_moe, read_qwen3_moe, {}, {}, {}};

}  // namespace fathom::model
