// What families read alike.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/families/family.hpp"

namespace fathom::model {

// Is the checkpoint in Hugging Face's layout, and does its config.json name this architecture or this model type?
bool is_huggingface(const io::Checkpoint& checkpoint, std::string_view architecture, std::string_view model_type);
// Is it a GGUF file of this architecture?
bool is_gguf(const io::Checkpoint& checkpoint, std::string_view architecture);

// What a family's own configuration class says where config.json is silent. 0: the key must be there, except where the comment
// says otherwise.
struct ClassDefaults {
  std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0;
  std::int64_t num_hidden_layers = 0, num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;  // 0: as many as attention heads
  std::int64_t head_dim = 0;             // 0: hidden_size / num_attention_heads
  std::int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
};

// Sizes, norm epsilon, heads, rotary settings with their scaling, a dense model of plain grouped-query layers. A model type's
// defaults come from its configuration class in transformers.
Config read_common_huggingface(const ConfigReader& reader, const ClassDefaults& defaults);
Config read_common_gguf(const ConfigSource& source);

// rope_scaling or rope_parameters, two names of one object. It may hold rope_theta, which then wins over the one beside it:
// older versions of transformers write their class's default there when they save such a model again.
ConfigReader rope_settings(const ConfigReader& reader);
// The scaling in that object; GGUF's rope.scaling.* keys and the rope_freqs tensor. Fills config.rope() but not the softmax
// factor, which only latent attention has. `partial_rotary_factor` other than 1 is refused.
void read_rope_scaling_huggingface(const ConfigReader& reader, Config& config);
void read_rope_scaling_gguf(const ConfigSource& source, Config& config);

// 1 / sqrt(head_dim)
float default_softmax_scale(const AttentionSpec& attention);

// config.layers from the rest of the configuration: plain residuals, `attention` with config.attention in every layer, dense
// feed-forward parts.
void set_layers(Config& config, const Mechanism& attention);
// Layer `layer` is a mixture of experts.
void set_mixture(Config& config, std::int64_t layer);
// Every layer from `dense_layers` on whose index is a multiple of `frequency`.
void set_mixtures(Config& config, std::int64_t dense_layers, std::int64_t frequency);

// GGUF's expert_gating_func: 1 softmax, 2 sigmoid, 3 softmax over the chosen. Refuses another than `expected`; 0 and absent say
// nothing.
void expect_gating(const ConfigReader& reader, std::int64_t expected);

// layer_types: "full_attention" or "sliding_attention" for each layer; empty when the key is absent. Refuses other words.
std::vector<bool> read_sliding_layers(const ConfigReader& reader);
// For families without windows: layer_types may only say "full_attention".
void expect_full_attention(const ConfigReader& reader);

}  // namespace fathom::model
