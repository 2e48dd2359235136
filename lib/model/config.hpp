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

enum class Attention { grouped_query, latent };
enum class Activation { silu, swiglu_oai };

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

  Attention attention = Attention::grouped_query;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;    // of queries and keys
  std::int64_t v_head_dim = 0;  // of values
  float softmax_scale = 0.0f;
  bool qkv_bias = false;  // on q, k, v; for latent attention on the two down-projections
  bool output_bias = false;
  bool qk_norm = false;                      // RMSNorm of each head's query and key (Qwen3)
  bool sinks = false;                        // a learned logit a head joins the softmax (gpt-oss)
  std::vector<std::int64_t> sliding_window;  // [layers] positions a layer sees; 0: all
  nn::RopeConfig rope;

  // Latent attention (MLA).
  std::int64_t q_lora_rank = 0;  // 0: plain q_proj
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  float latent_norm_eps = 1e-6f;

  std::int64_t intermediate_size = 0;  // of dense layers
  Activation activation = Activation::silu;
  float swiglu_limit = 0.0f;

  // Mixture of experts.
  std::vector<bool> moe_layer;  // [layers]
  nn::RouterConfig router;      // experts == 0: a dense model
  std::int64_t moe_intermediate_size = 0;
  std::int64_t n_shared_experts = 0;
  bool correction_bias = false;  // e_score_correction_bias
  bool expert_bias = false;      // biases on the router and in every expert (gpt-oss)

  bool is_moe(std::int64_t layer) const { return router.experts > 0 && moe_layer[std::size_t(layer)]; }
  // Values attention stores for one position of one layer.
  std::int64_t cache_width() const {
    return attention == Attention::latent ? kv_lora_rank + qk_rope_head_dim : num_key_value_heads * (head_dim + v_head_dim);
  }
  // The parts they consist of (nn::KvCacheShape).
  std::vector<std::int64_t> cache_parts() const {
    if (attention == Attention::latent) return {cache_width()};
    std::vector<std::int64_t> parts(std::size_t(num_key_value_heads), head_dim);
    parts.resize(2 * parts.size(), v_head_dim);
    return parts;
  }
  // Can each be stored in blocks of so many values?
  bool caches_in_blocks(std::int64_t values) const {
    const auto fits = [&](std::int64_t first, std::int64_t second) { return first % values == 0 && second % values == 0; };
    return attention == Attention::latent ? fits(kv_lora_rank, qk_rope_head_dim) : fits(head_dim, v_head_dim);
  }
};

// Sizes positive and sane, divisions without remainder, choices possible. Throws Error{corrupt_file} naming `origin` and the
// field. Every Config passes here before anything is allocated from it.
void validate(const Config& config, std::string_view origin);

// Name and value of what matters, in reading order, for inspection.
std::vector<std::pair<std::string, std::string>> describe(const Config& config);

}  // namespace fathom::model
