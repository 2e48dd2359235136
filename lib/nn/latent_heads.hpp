// The per-head up-projections of multi-head latent attention (DeepSeek-V2, section 2.1.2): W_UK lifts a latent to a key,
// W_UV to a value. In the absorbed form queries go down through W_UK^T instead, and attention runs on the latents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/weight_view.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::nn {

struct LatentShape {
  std::int64_t heads = 0;
  std::int64_t kv_lora_rank = 0;
  std::int64_t nope_dim = 0;   // qk_nope_head_dim
  std::int64_t rope_dim = 0;   // qk_rope_head_dim
  std::int64_t value_dim = 0;  // v_head_dim
};

// Refers to the stored weights. Immutable; any thread.
class LatentHeads {
 public:
  LatentHeads() = default;
  // kv_b_proj [heads * (nope + value), kv_lora_rank]: each head's keys' rows, then its values' rows.
  static LatentHeads joined(const LatentShape& shape, const WeightView& kv_b);
  // GGUF's split form: k_b holds W_UK transposed, [heads * kv_lora_rank, nope]; v_b [heads * value, kv_lora_rank].
  static LatentHeads split(const LatentShape& shape, const WeightView& k_b, const WeightView& v_b);

  const LatentShape& shape() const noexcept { return shape_; }
  bool is_split() const noexcept { return key_transposed_; }
  // Where W_UK and W_UV lie; the same matrix when joined.
  const WeightView& key_weights() const noexcept { return key_; }
  const WeightView& value_weights() const noexcept { return value_; }
  std::size_t scratch_bytes(std::int64_t max_rows) const noexcept;

  // y[i] = W_UK,h^T q[i]: q [rows, nope] -> y [rows, kv_lora_rank].
  void absorb_query(const kernels::KernelTable& kernels, std::int64_t head, const float* q, std::int64_t q_stride,
                    std::int64_t rows, float* y, std::int64_t y_stride, std::span<std::byte> scratch) const noexcept;
  // y[i] = W_UK,h c[i]: latents c [rows, kv_lora_rank] -> y [rows, nope]. in_bf16: both may be rounded to BF16, which the table
  // has to have attention_bf16 for, and scratch then begins at a multiple of 64 bytes.
  void expand_key(const kernels::KernelTable& kernels, std::int64_t head, const float* c, std::int64_t c_stride,
                  std::int64_t rows, float* y, std::int64_t y_stride, std::span<std::byte> scratch,
                  bool in_bf16) const noexcept;
  // y[i] = W_UV,h u[i]: u [rows, kv_lora_rank] -> y [rows, value].
  void expand_value(const kernels::KernelTable& kernels, std::int64_t head, const float* u, std::int64_t u_stride,
                    std::int64_t rows, float* y, std::int64_t y_stride, std::span<std::byte> scratch) const noexcept;

 private:
  LatentShape shape_;
  WeightView key_, value_;          // both kv_b when joined
  bool key_transposed_ = false;     // split form
  std::int64_t head_rows_key_ = 0;  // rows of key_ a head owns, and of value_, and where its values begin
  std::int64_t head_rows_value_ = 0;
  std::int64_t value_row_offset_ = 0;
};

}  // namespace fathom::nn
