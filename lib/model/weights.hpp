// A model's weights, layer by layer, as the forward pass reads them. Immutable; shared by every session.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/allocator.hpp"
#include "io/tensor_source.hpp"
#include "model/config.hpp"
#include "nn/latent_heads.hpp"
#include "nn/linear.hpp"

namespace fathom::model {

// How many columns a product with a matrix gives, and the bytes of weights read for each.
struct MatrixColumns {
  std::int64_t count = 0;
  std::int64_t bytes_each = 0;
};

// gate, up [intermediate, hidden], down [hidden, intermediate]: down(act(gate x, up x)).
struct GatedMlp {
  nn::Linear gate, up, down;
  explicit operator bool() const noexcept { return bool(gate); }
};

// The routed experts of one layer: one shape, each expert in storage formats of its own. The forward pass asks for an expert
// and gets its matrices; where the bytes are is the store's affair.
class ExpertStore {
 public:
  void add(GatedMlp expert);
  const GatedMlp& expert(std::int64_t id) const noexcept { return experts_[std::size_t(id)]; }
  std::span<const GatedMlp> all() const noexcept { return experts_; }
  std::int64_t count() const noexcept { return std::int64_t(experts_.size()); }
  // The first expert of each combination of storage formats: activation forms and scratch depend on shape and formats alone.
  std::span<const std::int32_t> distinct() const noexcept { return distinct_; }
  // Columns of gate (and of up), and the largest bytes that one takes in any expert: all experts are cut in the same tiles.
  MatrixColumns gate_columns() const noexcept { return gate_; }
  MatrixColumns down_columns() const noexcept { return down_; }

 private:
  std::vector<GatedMlp> experts_;
  std::vector<std::int32_t> distinct_;
  MatrixColumns gate_, down_;
};

struct AttentionWeights {
  // Grouped-query.
  nn::Linear q, k, v;
  const float* q_norm = nullptr;  // [head_dim]
  const float* k_norm = nullptr;  // [head_dim]
  const float* sinks = nullptr;   // [num_attention_heads]
  // Latent: q (above) or q_a, q_a_norm, q_b.
  nn::Linear q_a, q_b, kv_a;
  const float* q_a_norm = nullptr;   // [q_lora_rank]
  const float* kv_a_norm = nullptr;  // [kv_lora_rank]
  nn::LatentHeads heads;
  nn::Linear output;
};

struct ExpertWeights {
  nn::Linear router;                       // [experts, hidden]
  const float* correction_bias = nullptr;  // [experts]
  ExpertStore store;
  GatedMlp shared;
};

struct LayerWeights {
  const float* attn_norm = nullptr;  // [hidden]
  const float* ffn_norm = nullptr;   // [hidden]
  AttentionWeights attention;
  GatedMlp mlp;           // of dense layers
  ExpertWeights experts;  // of mixture layers
};

struct Weights {
  WeightView token_embd;               // [vocab, hidden]
  const float* output_norm = nullptr;  // [hidden]
  nn::Linear output;                   // [vocab, hidden]
  std::vector<LayerWeights> layers;

  // Largest scratch any matrix needs for one thread.
  std::size_t linear_scratch_bytes(std::int64_t max_rows) const noexcept;
  // All that matrices read of up to so many rows of activations.
  ActivationForms activation_forms(std::int64_t max_rows) const noexcept;

  // What the views and pointers above refer to.
  std::shared_ptr<const io::TensorSource> stored;
  std::vector<Buffer> owned;  // small vectors as F32, and the few matrices stored the other way round
};

}  // namespace fathom::model
