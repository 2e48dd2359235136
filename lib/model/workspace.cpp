#include "model/workspace.hpp"

#include <algorithm>

#include "nn/attention.hpp"
#include "nn/bf16_attention.hpp"
#include "nn/fixed_attention.hpp"
#include "nn/router.hpp"

namespace fathom::model {
namespace {

// Hands out pieces of one block; with a null base it only counts.
class Arena {
 public:
  explicit Arena(std::byte* base) : base_(base) {}

  template <typename T>
  T* take(std::int64_t count) {
    T* piece = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (std::size_t(count) * sizeof(T) + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
    return piece;
  }
  Matrix<float> matrix(std::int64_t rows, std::int64_t cols) { return {take<float>(rows * cols), rows, cols}; }
  RoundedBuffer rounded(std::int64_t rows, std::int64_t cols, ActivationForms forms) {
    RoundedBuffer out;
    if (forms.has(ActivationForm::quantised)) {
      const std::int64_t values = rows * cols;
      out.values = take<std::int8_t>(values);
      out.scales = take<float>(values / 32 + 1);
      out.sums = take<std::int16_t>(values / 16 + 1);
    }
    out.term_stride = (rows + kernels::kBf16Rows) * (cols + RoundedBuffer::kApart);
    if (forms.bf16_terms() > 0) out.bf16 = take<std::uint16_t>(forms.bf16_terms() * out.term_stride);
    return out;
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

std::int64_t most_queries(const Config& c) {
  return std::max(kQueryRows, c.num_attention_heads / std::max<std::int64_t>(c.num_key_value_heads, 1));
}

std::size_t bf16_attention_bytes(const Config& c) {
  const std::size_t heads = nn::Bf16Attention::scratch_bytes(most_queries(c), c.head_dim, c.v_head_dim);
  if (c.attention != Attention::latent) return heads;
  return std::max(heads, nn::Bf16Attention::scratch_bytes(kQueryRows, c.kv_lora_rank + c.qk_rope_head_dim, c.kv_lora_rank));
}

// The most floats any stage keeps in its worker's own memory.
std::int64_t local_floats(const Config& c, std::int64_t rows, ActivationForms forms) {
  const std::int64_t queries = most_queries(c);
  std::int64_t floats = 0;
  if (c.attention == Attention::latent) {
    // Absorbed: queries of a panel; or positions (64 bits), scores and integers; or a panel's totals, which are smaller.
    floats = std::max(std::min(rows, kAbsorbPanel) * (c.kv_lora_rank + std::max<std::int64_t>(c.qk_rope_head_dim, 3)) + 8,
                      2 * kQueryRows + nn::OnlineSoftmax::floats(kQueryRows) +
                          nn::FixedAttention::floats(kQueryRows, c.kv_lora_rank + c.qk_rope_head_dim));
    if (rows >= kExpandRows) floats = std::max(floats, kSegment * c.kv_lora_rank);  // expanded: a segment of latents
  } else {
    // Queries, outputs, softmax state and scores, positions (64 bits), sinks.
    floats = queries * (c.head_dim + c.v_head_dim + 5) + 2 + nn::OnlineSoftmax::floats(queries);
  }
  if (c.router.experts > 0) {
    const std::int64_t panel = std::min(kExpertPanel, rows);
    // Rows gathered, in halves of a float: F32; 8 bits with their scales and sums; one or three terms of BF16.
    const int halves =
        (forms.has(ActivationForm::f32) ? 2 : 0) + (forms.has(ActivationForm::quantised) ? 1 : 0) + forms.bf16_terms();
    floats = std::max(floats, (panel + kernels::kBf16Rows) * (c.hidden_size + RoundedBuffer::kApart) * halves / 2);
    floats = std::max(floats, nn::router_scratch(c.router));
  }
  floats = std::max(floats, c.hidden_size);  // an embedding as it is stored
  return floats + 64;
}

// Partial results of attention to latents: a few megabytes, but at least two for each row of a panel, its total and a block's.
constexpr std::int64_t kPartialBytes = 8 << 20;
constexpr std::int64_t kMostPartials = 128;

void lay_out_latent(Workspace& w, const Network& network, std::int64_t rows, Arena& arena) {
  const Config& c = network.config;
  const std::int64_t heads = c.num_attention_heads, panel = std::min(rows, kAbsorbPanel);
  const std::int64_t slot_bytes = heads * (c.kv_lora_rank + 2) * std::int64_t(sizeof(float));
  w.absorbed = arena.matrix(panel, heads * (c.kv_lora_rank + c.qk_rope_head_dim));
  w.partial_slots = std::max(2 * panel, std::min(kMostPartials, kPartialBytes / slot_bytes));
  w.partial_out = arena.take<float>(w.partial_slots * heads * c.kv_lora_rank);
  w.partial_maximum = arena.take<float>(w.partial_slots * heads);
  w.partial_sum = arena.take<float>(w.partial_slots * heads);
  if (rows < kExpandRows || network.engine->invariant) return;
  w.expanded_keys = arena.take<float>(heads * kSegment * c.head_dim);
  w.expanded_values = arena.take<float>(heads * kSegment * c.v_head_dim);
  w.expanded_maximum = arena.take<float>(heads * rows);
  w.expanded_sum = arena.take<float>(heads * rows);
}

std::size_t lay_out(Workspace& w, const Network& network, std::int64_t rows, std::int64_t logit_rows, int workers,
                    Arena arena) {
  const Config& c = network.config;
  const ActivationForms forms = network.weights.activation_forms(rows);
  w.x = arena.matrix(rows, c.hidden_size);
  w.normed = arena.matrix(rows, c.hidden_size);
  w.normed_rounded = arena.rounded(rows, c.hidden_size, forms);
  w.cos = arena.matrix(rows, c.rope.dims / 2);
  w.sin = arena.matrix(rows, c.rope.dims / 2);
  w.q = arena.matrix(rows, c.num_attention_heads * c.head_dim);
  w.kv = arena.matrix(rows, c.cache_width());
  w.q_latent = arena.matrix(rows, c.q_lora_rank);
  w.q_latent_rounded = arena.rounded(rows, c.q_lora_rank, forms);
  w.heads = arena.matrix(rows, c.num_attention_heads * c.v_head_dim);
  w.heads_rounded = arena.rounded(rows, w.heads.cols, forms);
  if (c.attention == Attention::latent) lay_out_latent(w, network, rows, arena);
  w.branch = arena.matrix(rows, c.hidden_size);
  bool any_dense = c.router.experts == 0;
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) any_dense |= !c.is_moe(layer);
  const std::int64_t width = std::max(any_dense ? c.intermediate_size : 0, c.n_shared_experts * c.moe_intermediate_size);
  w.gate = arena.matrix(rows, width);
  w.up = arena.matrix(rows, width);
  w.hidden_rounded = arena.rounded(rows, width, forms);
  if (c.router.experts > 0) {
    const std::int64_t slots = rows * c.router.experts_per_token;
    w.slot_gate = arena.matrix(slots, c.moe_intermediate_size);
    const std::int64_t round = std::clamp<std::int64_t>(kRoundBytes / std::int64_t(sizeof(float)) / c.hidden_size, 1, slots);
    float* const up = arena.take<float>(std::max(slots * c.moe_intermediate_size, round * c.hidden_size));
    w.slot_up = {up, slots, c.moe_intermediate_size};
    w.expert_out = {up, round, c.hidden_size};
    w.slot_rounded = arena.rounded(slots, c.moe_intermediate_size, forms);
    w.router_logits = arena.matrix(rows, c.router.experts);
    w.route_ids = {arena.take<std::int32_t>(slots), std::size_t(slots)};
    w.route_weights = {arena.take<float>(slots), std::size_t(slots)};
    w.group_cursor = {arena.take<std::int32_t>(c.router.experts + 1), std::size_t(c.router.experts + 1)};
    w.groups.active = arena.take<std::int32_t>(c.router.experts);
    w.groups.first = arena.take<std::int32_t>(c.router.experts + 1);
    w.groups.row = arena.take<std::int32_t>(slots);
    w.groups.weight = arena.take<float>(slots);
  }
  w.logits = arena.matrix(logit_rows, c.vocab_size);
  std::size_t linear = network.weights.linear_scratch_bytes(rows);
  if (c.attention == Attention::latent) {
    for (const LayerWeights& layer : network.weights.layers) {
      linear = std::max(linear, layer.attention.heads.scratch_bytes(kSegment));
    }
  }
  if (network.attends_in_bf16(StorageFormat::f16)) linear = std::max(linear, bf16_attention_bytes(c));
  const std::int64_t local = local_floats(c, rows, forms);
  w.workers.resize(std::size_t(workers));
  for (Worker& worker : w.workers) {
    worker.linear = {arena.take<std::byte>(std::int64_t(linear)), linear};
    worker.local = {arena.take<float>(local), std::size_t(local)};
  }
  return arena.used();
}

}  // namespace

Workspace::Workspace(const Network& network, std::int64_t rows, std::int64_t logit_rows, int worker_count, Allocator& allocator)
    : memory_(allocator, std::size_t(bytes_for(network, rows, logit_rows, worker_count)), MemoryPurpose::scratch) {
  lay_out(*this, network, rows, logit_rows, worker_count, Arena(memory_.data()));
}

std::int64_t Workspace::bytes_for(const Network& network, std::int64_t rows, std::int64_t logit_rows, int workers) {
  Workspace counted;
  return std::int64_t(lay_out(counted, network, rows, logit_rows, workers, Arena(nullptr)));
}

}  // namespace fathom::model
