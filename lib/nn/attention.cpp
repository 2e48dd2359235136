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
  return {std::clamp<std::int64_t>(oldest - page_first, 0, count),
          std::clamp<std::int64_t>(position + 1 - page_first, 0, count)};
}

}  // namespace

bool sees_page(const QueryRows& queries, std::int64_t first, std::int64_t count) noexcept {
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    const Visible keys = visible_keys(queries.positions[i], queries.window, first, count);
    if (keys.first < keys.last) return true;
  }
  return false;
}

void OnlineSoftmax::begin() noexcept {
  for (std::int64_t i = 0; i < queries_.rows; ++i) {
    state_.maximum[i] = kMasked;
    state_.sum[i] = 0.0f;
    std::fill_n(state_.out + i * state_.out_stride, value_width_, 0.0f);
  }
}

void OnlineSoftmax::add(const KeyValuePage& page) noexcept {
  constexpr std::int64_t kRows = KeyValuePage::kRows;
  const int format = int(page.format);
  kernels_.matmul_f32[format](page.keys, 0, page.count, queries_.data, queries_.stride, queries_.rows, scores_, kRows);
  weigh(page.first_position, page.count);
  kernels_.accumulate_rows[format](page.values, 0, page.count, scores_, kRows, queries_.rows, state_.out, state_.out_stride);
}

void OnlineSoftmax::weigh(std::int64_t first_position, std::int64_t count) noexcept {
  constexpr std::int64_t kRows = KeyValuePage::kRows;
  for (std::int64_t i = 0; i < queries_.rows; ++i) {
    float* score = scores_ + i * kRows;
    const Visible keys = visible_keys(queries_.positions[i], queries_.window, first_position, count);
    std::fill(score, score + keys.first, kMasked);
    std::fill(score + std::max(keys.first, keys.last), score + kRows, kMasked);
    if (keys.first >= keys.last) {
      std::fill_n(score, kRows, 0.0f);
      continue;
    }
    const float maximum = std::max(state_.maximum[i], kernels_.max(score, kRows));
    if (maximum != state_.maximum[i]) {
      const float shrink = std::exp(state_.maximum[i] - maximum);
      state_.sum[i] *= shrink;
      kernels_.scale(shrink, state_.out + i * state_.out_stride, value_width_);
      state_.maximum[i] = maximum;
    }
    state_.sum[i] += kernels_.exp_sum(score, maximum, kRows);
  }
}

void OnlineSoftmax::finish(const float* sinks) noexcept {
  for (std::int64_t i = 0; i < queries_.rows; ++i) {
    float sum = state_.sum[i];
    float scale = 1.0f;
    if (sinks) {
      // The sink may be the largest logit: then everything is measured from it.
      const float maximum = std::max(state_.maximum[i], sinks[i]);
      scale = std::exp(state_.maximum[i] - maximum);
      sum = sum * scale + std::exp(sinks[i] - maximum);
    }
    kernels_.scale(scale / sum, state_.out + i * state_.out_stride, value_width_);
  }
}

void merge_softmax(const kernels::KernelTable& kernels, std::int64_t rows, std::int64_t value_width, const SoftmaxState& from,
                   const SoftmaxState& into) noexcept {
  for (std::int64_t i = 0; i < rows; ++i) {
    if (from.maximum[i] == kMasked) continue;
    float* out = into.out + i * into.out_stride;
    const float maximum = std::max(into.maximum[i], from.maximum[i]);
    const float keep = std::exp(into.maximum[i] - maximum), take = std::exp(from.maximum[i] - maximum);
    if (keep != 1.0f) kernels.scale(keep, out, value_width);
    kernels.axpy(take, from.out + i * from.out_stride, out, value_width);
    into.sum[i] = into.sum[i] * keep + from.sum[i] * take;
    into.maximum[i] = maximum;
  }
}

}  // namespace fathom::nn
