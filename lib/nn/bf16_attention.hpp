// Attention with everything rounded to BF16 (kernels::Bf16Attention): the same online softmax, with products of rounded
// numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.hpp"
#include "nn/attention.hpp"

namespace fathom::nn {

// Adds pages in ascending order to the softmax's state. Bits do not depend on how many rows share a call. The table has to have
// attention_bf16.
class Bf16Attention {
 public:
  // `softmax`: begun, of `queries`, whose rows are key_width wide; `scratch` of scratch_bytes of the same, at a multiple of 64.
  Bf16Attention(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t key_width, std::int64_t value_width,
                const SoftmaxState& state, OnlineSoftmax& softmax, void* scratch) noexcept;
  static std::size_t scratch_bytes(std::int64_t rows, std::int64_t key_width, std::int64_t value_width) noexcept;

  // Values that begin where the keys do are the keys' first columns, and are read once.
  void add(const KeyValuePage& page) noexcept;

 private:
  const kernels::Bf16Attention& by_;
  std::int64_t rows_, key_width_, value_width_;
  SoftmaxState state_;
  OnlineSoftmax& softmax_;
  std::uint16_t* page_;     // keys, then values
  std::uint16_t* queries_;  // as products wants them
};

}  // namespace fathom::nn
