// A model's shape, whatever family and container it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/rope.hpp"
#include "nn/router.hpp"

namespace fathom::model {

struct Mechanism;
struct Residual;

enum class Activation { silu, swiglu_oai };

// Attention of one layer.
struct AttentionSpec {
  std::int64_t heads = 0;       // of queries
  std::int64_t kv_heads = 0;    // heads % kv_heads == 0
  std::int64_t head_dim = 0;    // of queries and keys
  std::int64_t v_head_dim = 0;  // of values
  float softmax_scale = 0.0f;
  std::int64_t sliding_window = 0;  // positions a row sees, its own included; 0: all before it
  std::size_t rope = 0;             // index into Config::ropes
};

// Which mechanisms a layer is made of, and the dimensions that may differ between layers.
struct LayerSpec {
  const Residual* residual = nullptr;
  std::vector<const Mechanism*> blocks;  // in order, each with a norm and a merge of its own: attention, feed-forward
  AttentionSpec attention;
  bool routed = false;  // its feed-forward part is a mixture of experts
};

// Names as in the Hugging Face configurations of the families; see the papers cited in lib/nn.
struct Config {
  std::string family;
  std::string name;  // general.name or the folder's; may be empty
  std::int64_t num_hidden_layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_position_embeddings = 0;
  float rms_norm_eps = 1e-6f;
  bool tie_word_embeddings = false;

  AttentionSpec attention;  // what layers have in common; a family changes layers[i].attention where they differ
  bool qkv_bias = false;    // on q, k, v; for latent attention on the two down-projections
  bool output_bias = false;
  bool qk_norm = false;                  // RMSNorm of each head's query and key (Qwen3)
  bool sinks = false;                    // a learned logit a head joins the softmax (gpt-oss)
  std::vector<nn::RopeConfig> ropes{1};  // the rotary settings that layers choose from

  // Latent attention (MLA).
  std::int64_t q_lora_rank = 0;  // 0: plain q_proj
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  float latent_norm_eps = 1e-6f;

  std::int64_t intermediate_size = 0;  // of dense layers
  bool mlp_bias = false;               // on gate, up and down of dense layers
  Activation activation = Activation::silu;
  float swiglu_limit = 0.0f;

  // Mixture of experts.
  nn::RouterConfig router;  // experts == 0: a dense model
  std::int64_t moe_intermediate_size = 0;
  std::int64_t n_shared_experts = 0;
  bool correction_bias = false;  // e_score_correction_bias
  bool expert_bias = false;      // biases on the router and in every expert (gpt-oss)

  std::vector<LayerSpec> layers;  // [num_hidden_layers]

  const LayerSpec& layer(std::int64_t index) const { return layers[std::size_t(index)]; }
  bool is_moe(std::int64_t index) const { return layer(index).routed; }
  nn::RopeConfig& rope() { return ropes.front(); }
  const nn::RopeConfig& rope() const { return ropes.front(); }
};

// Checks that sizes are positive and sane, divisions leave no remainder and choices are possible. Throws Error{corrupt_file}
// naming `origin` and the field. Every Config passes here before anything is allocated from it.
void validate(const Config& config, std::string_view origin);

// Name and value of each setting, in reading order, for inspection.
std::vector<std::pair<std::string, std::string>> describe(const Config& config);

}  // namespace fathom::model
