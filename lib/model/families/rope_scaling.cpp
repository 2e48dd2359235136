// How checkpoints stretch the rotary embedding over longer contexts.
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "model/families/common.hpp"

namespace fathom::model {

ConfigReader rope_settings(const ConfigReader& r) {
  const ConfigReader older = r.member("rope_scaling");
  return r.has("rope_scaling") ? older : r.member("rope_parameters");
}

void read_rope_scaling_huggingface(const ConfigReader& r, Config& c) {
  const ConfigReader s = rope_settings(r);
  for (const ConfigReader* place : {&r, &s}) {
    const double rotated = place->number("partial_rotary_factor", 1.0);
    if (rotated != 1.0) {
      fail(Status::unsupported, "{}: partial_rotary_factor {} is not computed by this version", place->origin(), rotated);
    }
  }
  const std::string kind = s.text("rope_type", s.text("type", "default"));
  if (kind == "default" || kind == "none") return;
  c.rope().factor = s.number("factor", 1.0);
  c.rope().original_context =
      s.integer("original_max_position_embeddings", r.integer("original_max_position_embeddings", c.max_position_embeddings));
  if (kind == "linear") {
    c.rope().scaling = nn::RopeScaling::linear;
  } else if (kind == "llama3") {
    c.rope().scaling = nn::RopeScaling::llama3;
    c.rope().low_freq_factor = s.number("low_freq_factor", 1.0);
    c.rope().high_freq_factor = s.number("high_freq_factor", 4.0);
  } else if (kind == "yarn") {
    c.rope().scaling = nn::RopeScaling::yarn;
    c.rope().beta_fast = s.number("beta_fast", 32.0);
    c.rope().beta_slow = s.number("beta_slow", 1.0);
    c.rope().truncate = s.boolean("truncate", true);
    // With both mscales the factor is their quotient (DeepSeek); else it is given, or follows from the factor.
    if (s.has("mscale") && s.has("mscale_all_dim") && s.number("mscale") != 0.0 && s.number("mscale_all_dim") != 0.0) {
      c.rope().cos_sin_factor = nn::yarn_magnitude(c.rope().factor, s.number("mscale")) /
                                nn::yarn_magnitude(c.rope().factor, s.number("mscale_all_dim"));
    } else if (s.has("attention_factor")) {
      c.rope().cos_sin_factor = float(s.number("attention_factor"));
    } else if (s.has("attn_factor")) {
      // Qwen's spelling holds the reciprocal of the usual magnitude: together they are 1 (GGUF's reading).
      c.rope().cos_sin_factor = float(s.number("attn_factor")) * nn::yarn_magnitude(c.rope().factor, 1.0);
    } else {
      c.rope().cos_sin_factor = nn::yarn_magnitude(c.rope().factor, 1.0);
    }
  } else {
    fail(Status::unsupported, "{}: rope scaling '{}' is not one of default, linear, llama3, yarn", r.origin(), kind);
  }
}

void read_rope_scaling_gguf(const ConfigSource& source, Config& c) {
  const ConfigReader& r = source.reader;
  const io::Checkpoint& checkpoint = source.checkpoint;
  if (const io::TensorInfo* divisors = checkpoint.tensors ? checkpoint.tensors->find("rope_freqs.weight") : nullptr) {
    if (divisors->format != StorageFormat::f32 || divisors->values() != c.rope().dims / 2) {
      fail(Status::corrupt_file, "{}: expected {} F32 values", checkpoint.tensors->describe(*divisors), c.rope().dims / 2);
    }
    c.rope().frequency_divisors.resize(std::size_t(divisors->values()));
    std::memcpy(c.rope().frequency_divisors.data(), checkpoint.tensors->bytes(*divisors).data(), std::size_t(divisors->bytes));
    for (float d : c.rope().frequency_divisors) {
      if (!(d > 0.0f) || !std::isfinite(d)) {
        fail(Status::corrupt_file, "{}: a divisor is not a positive number", checkpoint.tensors->describe(*divisors));
      }
    }
  }
  const std::string kind = r.text("rope.scaling.type", r.has("rope.scale_linear") ? "linear" : "none");
  if (kind == "none") return;
  c.rope().factor = r.number("rope.scaling.factor", r.number("rope.scale_linear", 1.0));
  c.rope().original_context = r.integer("rope.scaling.original_context_length", c.max_position_embeddings);
  if (kind == "linear") {
    c.rope().scaling = nn::RopeScaling::linear;
  } else if (kind == "yarn") {
    c.rope().scaling = nn::RopeScaling::yarn;
    c.rope().beta_fast = r.number("rope.scaling.yarn_beta_fast", 32.0);
    c.rope().beta_slow = r.number("rope.scaling.yarn_beta_slow", 1.0);
    c.rope().cos_sin_factor = float(r.number("rope.scaling.attn_factor", r.number("rope.scaling.yarn_attn_factor", 1.0))) *
                              nn::yarn_magnitude(c.rope().factor, 1.0);
  } else {
    fail(Status::unsupported, "{}: rope scaling '{}' is not one of none, linear, yarn", r.origin(), kind);
  }
}

}  // namespace fathom::model
