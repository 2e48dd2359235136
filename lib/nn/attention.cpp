#include "nn/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::nn {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

// Keys [first, last) that a query at `position` may see, as offsets into a page.
struct Visible {
  std::int64_t first, last;
};
Visible visible_keys(std::int64_t position, std::int64_t window, std::int64_t page_first, std::int64_t count) {
  const std::int64_t oldest = window > 0 ? position - window + 1 : 0;
  return {std::clamp<std::int64_t>(oldest - page_first, 0, count), std::clamp<std::int64_t>(position + 1 - page_first, 0, count)};
}

}  // namespace

bool sees_page(const QueryRows& queries, std::int64_t first, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    const Visible keys = visible_keys(queries.positions[i], queries.window, first, count);
    if (keys.first < keys.last) return true;
  }
  return false;
}

OnlineSoftmax::OnlineSoftmax(const kernels::KernelTable& kernels, const QueryRows& queries, std::int64_t value_width, float* out,
                             std::int64_t out_stride, std::span<float> scratch) noexcept
    : kernels_(kernels),
      queries_(queries),
      value_width_(value_width),
      out_(out),
      out_stride_(out_stride),
      scores_(scratch.data()),
      maximum_(scores_ + queries.rows * KeyValuePage::kRows),
      sum_(maximum_ + queries.rows) {
  for (std::int64_t i = 0; i < queries_.rows; ++i) {
    maximum_[i] = kMasked;
    sum_[i] = 0.0f;
    std::fill_n(out_ + i * out_stride_, value_width_, 0.0f);
  }
}

void OnlineSoftmax::add(const KeyValuePage& page) noexcept {
  constexpr std::int64_t kRows = KeyValuePage::kRows;
  const int format = int(page.format);
  kernels_.matmul_f32[format](page.keys, 0, page.count, queries_.data, queries_.stride, queries_.rows, scores_, kRows);
  for (std::int64_t i = 0; i < queries_.rows; ++i) {
    float* score = scores_ + i * kRows;
    const Visible keys = visible_keys(queries_.positions[i], queries_.window, page.first_position, page.count);
    std::fill(score, score + keys.first, kMasked);
    std::fill(score + std::max(keys.first, keys.last), score + kRows, kMasked);
    if (keys.first >= keys.last) {
      std::fill_n(score, page.count, 0.0f);
      continue;
    }
    const float maximum = std::max(maximum_[i], kernels_.max(score, kRows));
    if (maximum != maximum_[i]) {
      const float shrink = std::exp(maximum_[i] - maximum);
      sum_[i] *= shrink;
      kernels_.scale(shrink, out_ + i * out_stride_, value_width_);
      maximum_[i] = maximum;
    }
    sum_[i] += kernels_.exp_sum(score, maximum, kRows);
  }
  kernels_.accumulate_rows[format](page.values, 0, page.count, scores_, kRows, queries_.rows, out_, out_stride_);
}

void OnlineSoftmax::finish(const float* sinks) noexcept {
  for (std::int64_t i = 0; i < queries_.rows; ++i) {
    float sum = sum_[i];
    float scale = 1.0f;
    if (sinks) {
      // The sink may be the largest logit: then everything is measured from it.
      const float maximum = std::max(maximum_[i], sinks[i]);
      scale = std::exp(maximum_[i] - maximum);
      sum = sum * scale + std::exp(sinks[i] - maximum);
    }
    kernels_.scale(scale / sum, out_ + i * out_stride_, value_width_);
  }
}

}  // namespace fathom::nn
