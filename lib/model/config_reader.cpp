#include "model/config_reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"

namespace fathom::model {
namespace {

std::string config_origin(const io::Checkpoint& checkpoint) {
  return checkpoint.container == io::Container::gguf ? checkpoint.path : checkpoint.path + "/config.json";
}

std::string string_or_empty(const io::Value& value) {
  const auto text = value.as_string();
  return text ? std::string(*text) : std::string();
}

// GGUF writes some numbers once for each layer. Here they stand for one number, so all must be equal; else the array itself
// is returned, which is no number.
const io::Value& scalar(const io::Value& value) {
  const io::Value::Array& layers = value.array();
  const auto differs = [&](const io::Value& one) { return one.as_int() != layers.front().as_int(); };
  return layers.empty() || std::any_of(layers.begin(), layers.end(), differs) ? value : layers.front();
}

// What these families do not ask for and nothing here computes: read over in silence it would give wrong numbers.
void refuse_what_is_not_computed(const ConfigReader& r) {
  const std::string activation = r.text("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    fail(Status::unsupported, "{}: hidden_act '{}' is not computed by this version, only silu", r.origin(), activation);
  }
  if (r.boolean("mlp_bias", false)) fail(Status::unsupported, "{}: mlp_bias is not computed by this version", r.origin());
  const double rotated = r.number("partial_rotary_factor", 1.0);
  if (rotated != 1.0)
    fail(Status::unsupported, "{}: partial_rotary_factor {} is not computed by this version", r.origin(), rotated);
}

}  // namespace

bool ConfigReader::has(std::string_view key) const { return !value(key).is_null(); }
const io::Value& ConfigReader::value(std::string_view key) const { return (*object_)[full(key)]; }

void ConfigReader::wrong(std::string_view key, std::string_view expected) const {
  if (!has(key)) fail(Status::corrupt_file, "{}: '{}' is missing", origin_, full(key));
  fail(Status::corrupt_file, "{}: '{}' is not {}", origin_, full(key), expected);
}

std::int64_t ConfigReader::integer(std::string_view key) const {
  const auto found = scalar(value(key)).as_int();
  // Far above any size, far below what could overflow where two are added before they are validated.
  constexpr std::int64_t kLargest = std::int64_t{1} << 48;
  if (!found || *found < -kLargest || *found > kLargest) wrong(key, "an integer that could be a size");
  return *found;
}
std::int64_t ConfigReader::integer(std::string_view key, std::int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}
double ConfigReader::number(std::string_view key) const {
  const auto found = value(key).as_double();
  if (!found || !std::isfinite(*found)) wrong(key, "a finite number");
  return *found;
}
double ConfigReader::number(std::string_view key, double otherwise) const { return has(key) ? number(key) : otherwise; }
bool ConfigReader::boolean(std::string_view key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const auto found = value(key).as_bool();
  if (!found) wrong(key, "true or false");
  return *found;
}
std::string ConfigReader::text(std::string_view key, std::string_view otherwise) const {
  if (!has(key)) return std::string(otherwise);
  const auto found = value(key).as_string();
  if (!found) wrong(key, "a string");
  return std::string(*found);
}
ConfigReader ConfigReader::member(std::string_view key) const {
  const io::Value& found = value(key);
  if (!found.is_null() && !found.is_object()) wrong(key, "an object");
  return ConfigReader(found, fmt::format("{}: '{}'", origin_, key));
}

ConfigReader huggingface_config(const io::Checkpoint& checkpoint) {
  ConfigReader reader(checkpoint.config, config_origin(checkpoint));
  if (!reader.has("num_hidden_layers") && reader.has("text_config")) return reader.member("text_config");
  return reader;
}
ConfigReader gguf_config(const io::Checkpoint& checkpoint) {
  return ConfigReader(checkpoint.config, config_origin(checkpoint), gguf_architecture(checkpoint) + ".");
}

std::string huggingface_architecture(const io::Checkpoint& checkpoint) {
  const io::Value& list = checkpoint.config["architectures"];
  return list.array().empty() ? std::string() : string_or_empty(list.array().front());
}
std::string huggingface_model_type(const io::Checkpoint& checkpoint) {
  return string_or_empty(checkpoint.config["model_type"]);
}
std::string gguf_architecture(const io::Checkpoint& checkpoint) {
  return string_or_empty(checkpoint.config["general.architecture"]);
}

Config read_common_huggingface(const ConfigReader& r) {
  refuse_what_is_not_computed(r);
  Config c;
  c.num_hidden_layers = r.integer("num_hidden_layers");
  c.hidden_size = r.integer("hidden_size");
  c.vocab_size = r.integer("vocab_size");
  c.max_position_embeddings = r.integer("max_position_embeddings", 2048);
  c.rms_norm_eps = float(r.number("rms_norm_eps", 1e-6));
  c.tie_word_embeddings = r.boolean("tie_word_embeddings", false);
  c.num_attention_heads = r.integer("num_attention_heads");
  c.num_key_value_heads = r.integer("num_key_value_heads", c.num_attention_heads);
  if (c.num_attention_heads <= 0)
    fail(Status::corrupt_file, "{}: num_attention_heads is {}", r.origin(), c.num_attention_heads);
  c.head_dim = r.integer("head_dim", c.hidden_size / c.num_attention_heads);
  c.v_head_dim = c.head_dim;
  c.intermediate_size = r.integer("intermediate_size", 0);
  c.rope.theta = r.has("rope_theta") ? r.number("rope_theta") : r.member("rope_parameters").number("rope_theta", 10000.0);
  c.rope.dims = c.head_dim;
  c.softmax_scale = default_softmax_scale(c);
  if (c.num_hidden_layers > 0 && c.num_hidden_layers < 1 << 16) c.sliding_window.assign(std::size_t(c.num_hidden_layers), 0);
  return c;
}

Config read_common_gguf(const ConfigReader& r, const io::Checkpoint& checkpoint) {
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
  c.num_attention_heads = r.integer("attention.head_count");
  c.num_key_value_heads = r.integer("attention.head_count_kv", c.num_attention_heads);
  if (c.num_attention_heads <= 0)
    fail(Status::corrupt_file, "{}: attention.head_count is {}", r.origin(), c.num_attention_heads);
  c.head_dim = r.integer("attention.key_length", c.hidden_size / c.num_attention_heads);
  c.v_head_dim = r.integer("attention.value_length", c.head_dim);
  c.intermediate_size = r.integer("feed_forward_length", 0);
  c.rope.theta = r.number("rope.freq_base", 10000.0);
  c.rope.dims = r.integer("rope.dimension_count", c.head_dim);
  c.softmax_scale = r.has("attention.scale") ? float(r.number("attention.scale")) : default_softmax_scale(c);
  if (c.num_hidden_layers > 0 && c.num_hidden_layers < 1 << 16) c.sliding_window.assign(std::size_t(c.num_hidden_layers), 0);
  return c;
}

void read_rope_scaling_huggingface(const ConfigReader& r, Config& c) {
  const ConfigReader s = r.has("rope_scaling") ? r.member("rope_scaling") : r.member("rope_parameters");
  const std::string kind = s.text("rope_type", s.text("type", "default"));
  if (kind == "default" || kind == "none") return;
  c.rope.factor = s.number("factor", 1.0);
  c.rope.original_context =
      s.integer("original_max_position_embeddings", r.integer("original_max_position_embeddings", c.max_position_embeddings));
  if (kind == "linear") {
    c.rope.scaling = nn::RopeScaling::linear;
  } else if (kind == "llama3") {
    c.rope.scaling = nn::RopeScaling::llama3;
    c.rope.low_freq_factor = s.number("low_freq_factor", 1.0);
    c.rope.high_freq_factor = s.number("high_freq_factor", 4.0);
  } else if (kind == "yarn") {
    c.rope.scaling = nn::RopeScaling::yarn;
    c.rope.beta_fast = s.number("beta_fast", 32.0);
    c.rope.beta_slow = s.number("beta_slow", 1.0);
    c.rope.truncate = s.boolean("truncate", true);
    // With both mscales the factor is their quotient (DeepSeek); else it is given, or follows from the factor.
    if (s.has("mscale") && s.has("mscale_all_dim") && s.number("mscale") != 0.0 && s.number("mscale_all_dim") != 0.0) {
      c.rope.cos_sin_factor =
          nn::yarn_magnitude(c.rope.factor, s.number("mscale")) / nn::yarn_magnitude(c.rope.factor, s.number("mscale_all_dim"));
    } else if (s.has("attention_factor")) {
      c.rope.cos_sin_factor = float(s.number("attention_factor"));
    } else if (s.has("attn_factor")) {
      // Qwen's spelling holds the reciprocal of the usual magnitude: together they are 1 (GGUF's reading).
      c.rope.cos_sin_factor = float(s.number("attn_factor")) * nn::yarn_magnitude(c.rope.factor, 1.0);
    } else {
      c.rope.cos_sin_factor = nn::yarn_magnitude(c.rope.factor, 1.0);
    }
  } else {
    fail(Status::unsupported, "{}: rope scaling '{}' is not one of default, linear, llama3, yarn", r.origin(), kind);
  }
}

void read_rope_scaling_gguf(const ConfigReader& r, const io::Checkpoint& checkpoint, Config& c) {
  if (const io::TensorInfo* divisors = checkpoint.tensors ? checkpoint.tensors->find("rope_freqs.weight") : nullptr) {
    if (divisors->format != StorageFormat::f32 || divisors->values() != c.rope.dims / 2) {
      fail(Status::corrupt_file, "{}: expected {} F32 values", checkpoint.tensors->describe(*divisors), c.rope.dims / 2);
    }
    c.rope.frequency_divisors.resize(std::size_t(divisors->values()));
    std::memcpy(c.rope.frequency_divisors.data(), checkpoint.tensors->bytes(*divisors).data(), std::size_t(divisors->bytes));
    for (float d : c.rope.frequency_divisors) {
      if (!(d > 0.0f) || !std::isfinite(d)) {
        fail(Status::corrupt_file, "{}: a divisor is not a positive number", checkpoint.tensors->describe(*divisors));
      }
    }
  }
  const std::string kind = r.text("rope.scaling.type", r.has("rope.scale_linear") ? "linear" : "none");
  if (kind == "none") return;
  c.rope.factor = r.number("rope.scaling.factor", r.number("rope.scale_linear", 1.0));
  c.rope.original_context = r.integer("rope.scaling.original_context_length", c.max_position_embeddings);
  if (kind == "linear") {
    c.rope.scaling = nn::RopeScaling::linear;
  } else if (kind == "yarn") {
    c.rope.scaling = nn::RopeScaling::yarn;
    c.rope.beta_fast = r.number("rope.scaling.yarn_beta_fast", 32.0);
    c.rope.beta_slow = r.number("rope.scaling.yarn_beta_slow", 1.0);
    c.rope.cos_sin_factor = float(r.number("rope.scaling.attn_factor", r.number("rope.scaling.yarn_attn_factor", 1.0))) *
                            nn::yarn_magnitude(c.rope.factor, 1.0);
  } else {
    fail(Status::unsupported, "{}: rope scaling '{}' is not one of none, linear, yarn", r.origin(), kind);
  }
}

float default_softmax_scale(const Config& c) { return c.head_dim > 0 ? 1.0f / std::sqrt(float(c.head_dim)) : 0.0f; }

}  // namespace fathom::model
