// The memory of a forward pass: every buffer its stages write, sized once for a number of rows.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/gemm_backend.hpp"
#include "base/allocator.hpp"
#include "base/view.hpp"
#include "model/network.hpp"
#include "nn/expert_groups.hpp"

namespace fathom::model {

// Activations in the forms that are not F32, rows x cols; how many columns is up to the stage that fills it.
struct RoundedBuffer {
  std::int8_t* values = nullptr;  // in 8 bits; null where no product reads that
  float* scales = nullptr;
  std::int16_t* sums = nullptr;
  std::uint16_t* bf16 = nullptr;  // in BF16; likewise
  std::int64_t term_stride = 0;

  // Rows of BF16 lie a line of the cache further apart than they are long: powers of two would meet in few sets of the cache.
  static constexpr std::int64_t kApart = 32;

  Activations rows(const Matrix<const float>& f32) const noexcept {
    return {f32, {values, scales, sums, f32.cols}, {bf16, f32.cols + kApart, term_stride}};
  }
  // Columns [first, last) of row `row`, both multiples of 32 as cols is, in these forms.
  void store(const kernels::KernelTable& kernels, ActivationForms forms, std::int64_t row, std::int64_t cols,
             std::int64_t first, std::int64_t last, const float* x) const noexcept {
    if (forms.has(ActivationForm::quantised)) {
      const std::int64_t at = row * cols + first;
      kernels.quantise_row(x + first, last - first, values + at, scales + at / 32, sums + at / 16);
    }
    const std::int64_t at = row * (cols + kApart) + first;
    if (forms.has(ActivationForm::bf16_terms)) {
      kernels.split_bf16(x + first, last - first, bf16 + at, term_stride);
    } else if (forms.has(ActivationForm::bf16)) {
      kernels.f32_to_bf16(x + first, last - first, bf16 + at);
    }
  }
};

struct Workspace {
  // `rows`: activations that go through together; `logit_rows`: how many of them may be asked for logits at once.
  Workspace(const Network& network, std::int64_t rows, std::int64_t logit_rows, int workers, Allocator& allocator);

  static std::int64_t bytes_for(const Network& network, std::int64_t rows, std::int64_t logit_rows, int workers);

  // The residual stream and what a sublayer reads of it.
  Matrix<float> x;       // [rows, hidden]
  Matrix<float> normed;  // [rows, hidden]
  RoundedBuffer normed_rounded;
  // Rotary angles of each row.
  Matrix<float> cos, sin;  // [rows, rope.dims / 2]
  // Attention.
  Matrix<float> q;         // [rows, heads * head_dim]
  Matrix<float> kv;        // [rows, cache width]: what goes into the cache
  Matrix<float> q_latent;  // [rows, q_lora_rank]
  RoundedBuffer q_latent_rounded;
  Matrix<float> heads;  // [rows, heads * v_head_dim]
  // Attention to latents: the queries of a panel of rows in the latents' space, and what blocks of the context came to for a
  // row, in slots. absorbed_rounds.hpp says which.
  Matrix<float> absorbed;  // [panel rows, heads * (kv_lora_rank + rope)]
  std::int64_t partial_slots = 0;
  float* partial_out = nullptr;      // [slots, heads, kv_lora_rank]
  float* partial_maximum = nullptr;  // [slots, heads]
  float* partial_sum = nullptr;
  // Latent attention of many rows: keys and values of a segment of the context, and the softmax between segments.
  float* expanded_keys = nullptr;     // [heads, kSegment, head_dim]
  float* expanded_values = nullptr;   // [heads, kSegment, v_head_dim]
  float* expanded_maximum = nullptr;  // [heads, rows]
  float* expanded_sum = nullptr;
  RoundedBuffer heads_rounded;
  Matrix<float> branch;  // [rows, hidden]: a sublayer's output on its way to x
  // Feed-forward: rows of dense layers and the shared expert; slots (rows * experts_per_token) of routed experts.
  Matrix<float> gate, up;  // [rows, max(intermediate, shared intermediate)]; gate becomes act(gate, up)
  RoundedBuffer hidden_rounded;
  Matrix<float> slot_gate, slot_up;  // [slots, moe_intermediate]
  RoundedBuffer slot_rounded;
  Matrix<float> expert_out;           // [slots of a round, hidden], where slot_up was
  Matrix<float> router_logits;        // [rows, experts]
  std::span<std::int32_t> route_ids;  // [rows, experts_per_token]
  std::span<float> route_weights;
  std::span<std::int32_t> group_cursor;
  nn::ExpertGroups groups;
  Matrix<float> logits;  // [logit_rows, vocab]
  std::vector<Worker> workers;

 private:
  Workspace() = default;
  Buffer memory_;
};

// Rows of one expert multiplied together.
inline constexpr std::int64_t kExpertPanel = 128;
// What routed experts' outputs of a round may take: they are to stay in the caches until they are added.
inline constexpr std::int64_t kRoundBytes = 2 << 20;
// Queries (rows x heads) of one attention unit.
inline constexpr std::int64_t kQueryRows = 64;
// From this many rows of one sequence on, grouped-query attention rounds to BF16 where the network may.
inline constexpr std::int64_t kBf16AttendRows = 64;
// From this many rows of one sequence on, latent attention expands keys and values instead of absorbing the projections:
// expanding costs (nope + value) * kv_lora_rank products for each key and head, and saves (2 * kv_lora_rank + rope - nope -
// rope - value) for each query; with V2's and V3's dimensions that is even at 171 queries.
inline constexpr std::int64_t kExpandRows = 192;
// Positions whose keys and values are there at once.
inline constexpr std::int64_t kSegment = 128;
// Rows whose queries are absorbed together.
inline constexpr std::int64_t kAbsorbPanel = 32;
static_assert(kAbsorbPanel <= kSegment, "heads take up to a segment of rows at once");

}  // namespace fathom::model
