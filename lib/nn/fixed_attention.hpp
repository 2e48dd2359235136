// Attention to pages of latents in fixed point (kernels::FixedPoint): the same online softmax, with products of integers.
#pragma once

#include <cstdint>

#include "base/storage_format.hpp"
#include "kernels/kernel_table.hpp"
#include "nn/attention.hpp"

namespace fathom::nn {

// Where that is possible, it is what attention to latents computes with: for F16 and Q8_0 caches, which go with weights whose
// products are of 8-bit activations anyway. Latents of 12 bits are finer than these by a factor of 16.
bool attends_in_fixed_point(const kernels::KernelTable& kernels, StorageFormat cache, std::int64_t rank,
                            std::int64_t rope_dim) noexcept;

// A page of latents: keys are whole rows, values their first `rank` columns.
struct LatentPage {
  kernels::WeightRows rows;  // [count, rank + rope]
  StorageFormat format = StorageFormat::f16;
  std::int64_t first_position = 0;  // a multiple of KeyValuePage::kRows
  std::int64_t count = 0;           // 1 .. KeyValuePage::kRows
};

// Adds pages in ascending order to the softmax's state. Bits do not depend on how many rows share a call.
class FixedAttention {
 public:
  // `softmax`: begun, of `queries`; `scratch` of floats(queries.rows, queries' width).
  FixedAttention(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t rank, std::int64_t width,
                 const SoftmaxState& state, OnlineSoftmax& softmax, float* scratch) noexcept;
  static std::int64_t floats(std::int64_t rows, std::int64_t width) noexcept;

  // next: null, or the rows of the page that will be added after this one.
  void add(const LatentPage& page, const std::uint8_t* next) noexcept;

 private:
  // The rows in F16, which the kernels read.
  kernels::WeightRows decode(const LatentPage& page) noexcept;

  const kernels::KernelTable& kernels_;
  std::int64_t rows_, rank_;
  SoftmaxState state_;
  OnlineSoftmax& softmax_;
  float* page_scales_;     // [kFixedRows]
  float* query_scales_;    // [rows, 2]
  float* weight_scales_;   // [rows]
  std::int16_t* weights_;  // [rows, kFixedRows]
  std::int16_t* queries_;  // [rows, width]
  std::uint16_t* page_;    // [kFixedRows, width], where pages are decoded
};

}  // namespace fathom::nn
