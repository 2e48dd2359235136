// Softmax attention of a few query rows over cached rows, one page at a time with a running maximum (the "online softmax"
// of Milakov and Gimelshein, arXiv:1805.02867, as FlashAttention uses it).
#pragma once

#include <cstdint>
#include <span>

#include "base/storage_format.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::nn {

// The keys and values of one page of positions. Rows beyond `count` are not read.
struct KeyValuePage {
  kernels::WeightRows keys;                   // cols = key width
  kernels::WeightRows values;                 // cols = value width
  StorageFormat format = StorageFormat::f32;  // of both
  std::int64_t first_position = 0;            // a multiple of kRows
  std::int64_t count = 0;                     // 1 .. kRows

  static constexpr std::int64_t kRows = 64;
};

// The queries of one call: `rows` of them, already multiplied by the softmax scale.
struct QueryRows {
  const float* data = nullptr;  // [rows, key width]
  std::int64_t stride = 0;
  std::int64_t rows = 0;
  const std::int64_t* positions = nullptr;  // [rows] each row's position: it sees keys at or before it
  std::int64_t window = 0;                  // > 0: only the `window` nearest of them, its own included
};

// What a softmax has come to for `rows` queries: sums of values weighted by exp(logit - maximum), and the sum of the weights.
struct SoftmaxState {
  float* out = nullptr;  // [rows, value width], out_stride apart
  std::int64_t out_stride = 0;
  float* maximum = nullptr;  // [rows] largest logit so far; minus infinity before the first
  float* sum = nullptr;      // [rows]
};

// Attention over pages: begin, add pages in ascending order, finish. Bits do not depend on how many rows share a call: pages
// have fixed borders, and keys a row may not see enter with weight zero. All there is to know between two pages is the state,
// so the adding may stop and go on with another object on the same state.
class OnlineSoftmax {
 public:
  // `scores` is scratch of floats(queries.rows).
  OnlineSoftmax(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t value_width,
                const SoftmaxState& state, float* scores) noexcept
      : kernels_(kernels), queries_(queries), value_width_(value_width), state_(state), scores_(scores) {}
  static std::int64_t floats(std::int64_t rows) noexcept { return rows * KeyValuePage::kRows; }

  void begin() noexcept;
  void add(const KeyValuePage& page) noexcept;
  // The second of a page's three steps, for those who take the others themselves: scores() [rows, kRows], as products of
  // queries and the page's keys, become weights, and the state is brought to their maximum. What is left is to add the values
  // to its `out`.
  void weigh(std::int64_t first_position, std::int64_t count) noexcept;
  float* scores() const noexcept { return scores_; }
  // Divides by the sums. sinks: null, or one logit a row that joins the softmax without a value (gpt-oss).
  void finish(const float* sinks) noexcept;

 private:
  const kernels::KernelTable& kernels_;
  const QueryRows& queries_;
  std::int64_t value_width_;
  SoftmaxState state_;
  float* scores_;  // [rows, kRows]
};

// Adds what other keys gave the same queries. A row of `from` that saw none changes nothing.
void merge_softmax(const kernels::KernelTable& kernels, std::int64_t rows, std::int64_t value_width, const SoftmaxState& from,
                   const SoftmaxState& into) noexcept;

// Does any of the rows see a key of [first, first + count)?
bool sees_page(const QueryRows& queries, std::int64_t first, std::int64_t count) noexcept;

}  // namespace fathom::nn
