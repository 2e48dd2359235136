// Grouped-query attention (Ainslie et al., arXiv:2305.13245), with windows, sinks, biases and norms of heads where a layer has
// them.
#pragma once

#include "model/attention/attention_names.hpp"
#include "model/mechanism.hpp"

namespace fathom::model {

extern const Mechanism kGroupedQuery;

struct GroupedQueryWeights {
  nn::Linear q, k, v, output;
  const float* q_norm = nullptr;  // [head_dim], or null
  const float* k_norm = nullptr;  // [head_dim], or null
  const float* sinks = nullptr;   // [heads], or null
};

// Sized for the widest layer; a layer's rows lie one after another without gaps.
struct GroupedQueryScratch {
  Matrix<float> q;      // [rows, heads * head_dim]
  Matrix<float> kv;     // [rows, kv_heads * (head_dim + v_head_dim)]: a row of the cache
  Matrix<float> heads;  // [rows, heads * v_head_dim]
  RoundedBuffer heads_rounded;
};

inline constexpr TensorName kAttnK{"model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight"};
inline constexpr TensorName kAttnV{"model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight"};
inline constexpr TensorName kAttnQNorm{"model.layers.{}.self_attn.q_norm.weight", "blk.{}.attn_q_norm.weight"};
inline constexpr TensorName kAttnKNorm{"model.layers.{}.self_attn.k_norm.weight", "blk.{}.attn_k_norm.weight"};
inline constexpr TensorName kAttnSinks{"model.layers.{}.self_attn.sinks", "blk.{}.attn_sinks.weight"};

}  // namespace fathom::model
