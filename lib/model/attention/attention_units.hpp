// How attention is cut in units, and what all attentions do to a head.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/pass/pass.hpp"
#include "nn/attention.hpp"

namespace fathom::model {

// Queries (rows x heads) of one attention unit.
inline constexpr std::int64_t kQueryRows = 64;

// Rotates `heads` heads of a row, `stride` apart, in place.
inline void rotate_heads(const Pass& pass, Place at, std::int64_t row, float* x, std::int64_t heads, std::int64_t stride) {
  const nn::RopeConfig& rope = pass.rope(at);
  const RopeAngles& angles = pass.rope_angles(at);
  const auto rotate = rope.interleaved ? pass.kernels.rope_interleaved : pass.kernels.rope_half;
  for (std::int64_t h = 0; h < heads; ++h) rotate(x + h * stride, angles.cos.row(row), angles.sin.row(row), rope.dims / 2);
}

// The attention units of a pass: for each span its blocks of rows, for each block its groups of heads.
struct AttentionUnit {
  const RowSpan* span = nullptr;
  std::int64_t first_row = 0;  // in the pass
  std::int64_t rows = 0;
  std::int64_t group = 0;
};

// How a span is cut: rows of a block, and groups of heads that each block is attended by.
struct BlockShape {
  std::int64_t rows, groups;
};

template <typename Shape>  // Shape(span) -> BlockShape
std::int64_t count_attention_units(const Pass& pass, Shape shape) {
  std::int64_t count = 0;
  for (const RowSpan& span : pass.spans) {
    const auto [block, groups] = shape(span);
    count += (span.rows + block - 1) / block * groups;
  }
  return count;
}

template <typename Shape>
AttentionUnit find_attention_unit(const Pass& pass, std::int64_t unit, Shape shape) {
  for (const RowSpan& span : pass.spans) {
    const auto [block, groups] = shape(span);
    const std::int64_t units = (span.rows + block - 1) / block * groups;
    if (unit < units) {
      const std::int64_t first = unit / groups * block;
      return {&span, span.first_row + first, std::min<std::int64_t>(block, span.rows - first), unit % groups};
    }
    unit -= units;
  }
  return {};
}

// The work a block of rows attends to: pages that any of its queries sees, in ascending order.
template <typename Body>  // Body(page index, first position, count)
void for_pages(const nn::QueryRows& queries, Body body) {
  std::int64_t last = 0, first = queries.positions[0];
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    last = std::max(last, queries.positions[i]);
    first = std::min(first, queries.positions[i]);
  }
  const std::int64_t oldest = queries.window > 0 ? std::max<std::int64_t>(0, first - queries.window + 1) : 0;
  for (std::int64_t page = oldest / nn::KvCache::kPageRows; page * nn::KvCache::kPageRows <= last; ++page) {
    const std::int64_t begin = page * nn::KvCache::kPageRows;
    body(page, begin, std::min(nn::KvCache::kPageRows, last + 1 - begin));
  }
}

}  // namespace fathom::model
