#include "nn/bf16_attention.hpp"

#include <algorithm>

namespace fathom::nn {
namespace {

std::int64_t page_values(std::int64_t key_width, std::int64_t value_width) {
  return kernels::bf16_page_values(std::max(key_width, value_width));
}

}  // namespace

static_assert(kernels::kBf16PageRows == KeyValuePage::kRows);

std::size_t Bf16Attention::scratch_bytes(std::int64_t rows, std::int64_t key_width, std::int64_t value_width) noexcept {
  return std::size_t(page_values(key_width, value_width) + kernels::bf16_query_values(rows, key_width)) * sizeof(std::uint16_t);
}

Bf16Attention::Bf16Attention(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t key_width,
                             std::int64_t value_width, const SoftmaxState& state, OnlineSoftmax& softmax,
                             void* scratch) noexcept
    : by_(kernels.attention_bf16),
      rows_(queries.rows),
      key_width_(key_width),
      value_width_(value_width),
      state_(state),
      softmax_(softmax),
      page_(static_cast<std::uint16_t*>(scratch)),
      queries_(page_ + page_values(key_width, value_width)) {
  by_.arrange_queries(queries.data, queries.stride, rows_, key_width, queries_);
}

void Bf16Attention::add(const KeyValuePage& page) noexcept {
  const auto round_rows = by_.round_rows[int(page.format)];
  round_rows(page.keys, page.count, page_);
  by_.products(page_, key_width_, queries_, rows_, softmax_.scores());
  softmax_.weigh(page.first_position, page.count);
  const bool in_keys = page.values.data == page.keys.data;
  if (!in_keys) round_rows(page.values, page.count, page_);
  by_.sums(page_, in_keys ? key_width_ : value_width_, value_width_, softmax_.scores(), rows_, state_.out, state_.out_stride);
}

}  // namespace fathom::nn
