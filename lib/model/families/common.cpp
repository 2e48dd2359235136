#include "model/families/common.hpp"

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "model/attention/grouped_query/grouped_query.hpp"
#include "model/feed_forward/experts/experts.hpp"
#include "model/feed_forward/gated/gated.hpp"
#include "model/residual/plain.hpp"

namespace fathom::model {
namespace {

std::string string_or_empty(const io::Value& value) {
  const auto text = value.as_string();
  return text ? std::string(*text) : std::string();
}

// A size that may be left to the class's default.
std::int64_t size_or_default(const ConfigReader& r, std::string_view key, std::int64_t by_default) {
  return by_default > 0 ? r.integer(key, by_default) : r.integer(key);
}

// What these families do not ask for and nothing here computes: read over in silence it would give wrong numbers.
void refuse_other_activations(const ConfigReader& r) {
  for (const char* key : {"hidden_act", "hidden_activation"}) {
    const std::string activation = r.text(key, "silu");
    if (activation == "silu" || activation == "swish") continue;
    fail(Status::unsupported, "{}: {} '{}' is not computed by this version, only silu", r.origin(), key, activation);
  }
}

}  // namespace

bool is_huggingface(const io::Checkpoint& c, std::string_view architecture, std::string_view model_type) {
  if (c.container == io::Container::gguf) return false;
  return huggingface_architecture(c) == architecture || huggingface_model_type(c) == model_type;
}

bool is_gguf(const io::Checkpoint& c, std::string_view architecture) {
  return c.container == io::Container::gguf && gguf_architecture(c) == architecture;
}

float default_softmax_scale(const AttentionSpec& a) { return a.head_dim > 0 ? 1.0f / std::sqrt(float(a.head_dim)) : 0.0f; }

void set_layers(Config& c, const Mechanism& attention) {
  constexpr std::int64_t kMostLayers = 1 << 16;  // validate() has the last word
  if (c.num_hidden_layers <= 0 || c.num_hidden_layers >= kMostLayers) return;
  c.layers.assign(std::size_t(c.num_hidden_layers), {&kPlainResidual, {&attention, &kGated}, c.attention, false});
}

void set_mixture(Config& c, std::int64_t layer) {
  LayerSpec& spec = c.layers[std::size_t(layer)];
  spec.blocks.back() = &kExperts;
  spec.routed = true;
}

void set_mixtures(Config& c, std::int64_t dense_layers, std::int64_t frequency) {
  for (std::int64_t i = 0; i < std::int64_t(c.layers.size()); ++i) {
    if (i >= dense_layers && frequency > 0 && i % frequency == 0) set_mixture(c, i);
  }
}

void expect_gating(const ConfigReader& r, std::int64_t expected) {
  const std::int64_t found = r.integer("expert_gating_func", 0);
  if (found == 0 || found == expected) return;
  fail(Status::unsupported, "{}: expert_gating_func is {}, expected {} for this family", r.origin(), found, expected);
}

std::vector<bool> read_sliding_layers(const ConfigReader& r) {
  std::vector<bool> slides;
  for (const io::Value& type : r.value("layer_types").array()) {
    const std::string word = string_or_empty(type);
    if (word != "full_attention" && word != "sliding_attention") {
      fail(Status::unsupported, "{}: layer_types has '{}', expected full_attention or sliding_attention", r.origin(), word);
    }
    slides.push_back(word == "sliding_attention");
  }
  return slides;
}

void expect_full_attention(const ConfigReader& r) {
  for (const bool slides : read_sliding_layers(r)) {
    if (slides)
      fail(Status::unsupported, "{}: layer_types has sliding_attention, which this family does not compute", r.origin());
  }
}

Config read_common_huggingface(const ConfigReader& r, const ClassDefaults& defaults) {
  refuse_other_activations(r);
  Config c;
  c.num_hidden_layers = size_or_default(r, "num_hidden_layers", defaults.num_hidden_layers);
  c.hidden_size = size_or_default(r, "hidden_size", defaults.hidden_size);
  c.vocab_size = size_or_default(r, "vocab_size", defaults.vocab_size);
  c.max_position_embeddings = r.integer("max_position_embeddings", defaults.max_position_embeddings);
  c.rms_norm_eps = float(r.number("rms_norm_eps", defaults.rms_norm_eps));
  c.tie_word_embeddings = r.boolean("tie_word_embeddings", false);
  AttentionSpec& a = c.attention;
  a.heads = size_or_default(r, "num_attention_heads", defaults.num_attention_heads);
  if (a.heads <= 0) fail(Status::corrupt_file, "{}: num_attention_heads is {}, expected 1 or more", r.origin(), a.heads);
  a.kv_heads =
      r.integer("num_key_value_heads", defaults.num_key_value_heads > 0 ? defaults.num_key_value_heads : a.heads, a.heads);
  a.head_dim =
      r.integer("head_dim", defaults.head_dim > 0 ? defaults.head_dim : c.hidden_size / a.heads, c.hidden_size / a.heads);
  a.v_head_dim = a.head_dim;
  a.softmax_scale = default_softmax_scale(a);
  c.intermediate_size = r.integer("intermediate_size", defaults.intermediate_size);
  c.rope().theta = rope_settings(r).number("rope_theta", r.number("rope_theta", defaults.rope_theta));
  c.rope().dims = a.head_dim;
  read_rope_scaling_huggingface(r, c);
  set_layers(c, kGroupedQuery);
  return c;
}

Config read_common_gguf(const ConfigSource& source) {
  const ConfigReader& r = source.reader;
  const io::Checkpoint& checkpoint = source.checkpoint;
  Config c;
  c.name = string_or_empty(checkpoint.config["general.name"]);
  c.num_hidden_layers = r.integer("block_count") - r.integer("nextn_predict_layers", 0);
  c.hidden_size = r.integer("embedding_length");
  // The rows of the embedding are the vocabulary; the key and the token list may differ by padding.
  const io::TensorInfo* embedding = checkpoint.tensors ? checkpoint.tensors->find("token_embd.weight") : nullptr;
  if (embedding && embedding->shape.size() == 2) {
    c.vocab_size = embedding->shape[0];
  } else {
    c.vocab_size = r.integer("vocab_size", std::int64_t(checkpoint.config["tokenizer.ggml.tokens"].array().size()));
  }
  c.max_position_embeddings = r.integer("context_length", 2048);
  c.rms_norm_eps = float(r.number("attention.layer_norm_rms_epsilon", 1e-6));
  c.tie_word_embeddings = !(checkpoint.tensors && checkpoint.tensors->find("output.weight"));
  AttentionSpec& a = c.attention;
  a.heads = r.integer("attention.head_count");
  if (a.heads <= 0) fail(Status::corrupt_file, "{}: attention.head_count is {}, expected 1 or more", r.origin(), a.heads);
  a.kv_heads = r.integer("attention.head_count_kv", a.heads);
  a.head_dim = r.integer("attention.key_length", c.hidden_size / a.heads);
  a.v_head_dim = r.integer("attention.value_length", a.head_dim);
  a.softmax_scale = r.has("attention.scale") ? float(r.number("attention.scale")) : default_softmax_scale(a);
  c.intermediate_size = r.integer("feed_forward_length", 0);
  c.rope().theta = r.number("rope.freq_base", 10000.0);
  c.rope().dims = r.integer("rope.dimension_count", a.head_dim);
  read_rope_scaling_gguf(source, c);
  set_layers(c, kGroupedQuery);
  return c;
}

}  // namespace fathom::model
