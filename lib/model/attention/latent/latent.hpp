// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): one latent row a token stands for the keys and
// values of all heads. Few rows attend to the latents themselves (absorbed.cpp), long chunks to keys and values made from them
// (expanded.cpp).
#pragma once

#include "model/attention/attention_names.hpp"
#include "model/mechanism.hpp"
#include "model/pass/pass.hpp"
#include "nn/latent_heads.hpp"

namespace fathom::model {

extern const Mechanism kLatentAttention;

struct LatentWeights {
  nn::Linear q;                      // [heads * head_dim, hidden]; or, where the query has a latent of its own:
  nn::Linear q_a, q_b;               // [q_lora_rank, hidden], [heads * head_dim, q_lora_rank]
  nn::Linear kv_a;                   // [kv_lora_rank + rope, hidden]
  const float* q_a_norm = nullptr;   // [q_lora_rank]
  const float* kv_a_norm = nullptr;  // [kv_lora_rank]
  nn::LatentHeads heads;
  nn::Linear output;  // [hidden, heads * v_head_dim]
};

struct LatentScratch {
  Matrix<float> q;         // [rows, heads * head_dim]
  Matrix<float> latent;    // [rows, kv_lora_rank + rope]: a row of the cache
  Matrix<float> q_latent;  // [rows, q_lora_rank]
  RoundedBuffer q_latent_rounded;
  Matrix<float> heads;  // [rows, heads * v_head_dim]
  RoundedBuffer heads_rounded;
  // Absorbed: the queries of a panel of rows in the latents' space, and the partial results of blocks of the context in slots.
  // absorbed_rounds.hpp says which slot holds which.
  Matrix<float> absorbed;  // [panel rows, heads * (kv_lora_rank + rope)]
  std::int64_t partial_slots = 0;
  float* partial_out = nullptr;      // [slots, heads, kv_lora_rank]
  float* partial_maximum = nullptr;  // [slots, heads]
  float* partial_sum = nullptr;
  // Expanded: keys and values of a segment of the context, and the softmax between segments.
  float* expanded_keys = nullptr;     // [heads, kSegment, head_dim]
  float* expanded_values = nullptr;   // [heads, kSegment, v_head_dim]
  float* expanded_maximum = nullptr;  // [heads, rows]
  float* expanded_sum = nullptr;
};

// From this many rows of one sequence on, keys and values are expanded instead of absorbing the projections: expanding costs
// (nope + value) * kv_lora_rank products for each key and head, and saves (2 * kv_lora_rank + rope - nope - rope - value) for
// each query; with V2's and V3's dimensions that is even at 171 queries.
inline constexpr std::int64_t kExpandRows = 192;
// Positions whose expanded keys and values are there at once.
inline constexpr std::int64_t kSegment = 128;
// Rows whose queries are absorbed together.
inline constexpr std::int64_t kAbsorbPanel = 32;
static_assert(kAbsorbPanel <= kSegment, "heads take up to a segment of rows at once");

// Does this span expand keys and values? Otherwise its rows attend to the latents. Both read the same cache.
inline bool expands(const Pass& pass, const RowSpan& span) {
  return !pass.network.engine->invariant && span.rows >= kExpandRows;
}

// The stages of the two ways. A pass runs both; each takes its spans.
extern const StageKind kAbsorbQueries, kAttendAbsorbed, kExpandValues;
extern const StageKind kExpandLatents, kAttendExpanded;

inline constexpr TensorName kAttnQA{"model.layers.{}.self_attn.q_a_proj.weight", "blk.{}.attn_q_a.weight"};
inline constexpr TensorName kAttnQANorm{"model.layers.{}.self_attn.q_a_layernorm.weight", "blk.{}.attn_q_a_norm.weight"};
inline constexpr TensorName kAttnQB{"model.layers.{}.self_attn.q_b_proj.weight", "blk.{}.attn_q_b.weight"};
inline constexpr TensorName kAttnKvA{"model.layers.{}.self_attn.kv_a_proj_with_mqa.weight", "blk.{}.attn_kv_a_mqa.weight"};
inline constexpr TensorName kAttnKvANorm{"model.layers.{}.self_attn.kv_a_layernorm.weight", "blk.{}.attn_kv_a_norm.weight"};
inline constexpr TensorName kAttnKvB{"model.layers.{}.self_attn.kv_b_proj.weight", "blk.{}.attn_kv_b.weight"};
inline constexpr TensorName kAttnKB{"", "blk.{}.attn_k_b.weight"};
inline constexpr TensorName kAttnVB{"", "blk.{}.attn_v_b.weight"};

}  // namespace fathom::model
