// What several stages do alike.
#pragma once

#include <algorithm>
#include <cstring>

#include "model/forward.hpp"
#include "nn/attention.hpp"

namespace fathom::model {

// Stages that work row by row.
inline std::int64_t all_row_units(const Pass& pass, int) { return row_units(pass.rows); }

// Runs body(row) for the rows of a row unit.
template <typename Body>
void for_rows(std::int64_t unit, std::int64_t rows, Body body) {
  const std::int64_t end = std::min(rows, (unit + 1) * kRowsPerUnit);
  for (std::int64_t row = unit * kRowsPerUnit; row < end; ++row) body(row);
}

// The normed rows of the pass, as every matrix of a layer reads them.
inline Activations normed_rows(const Pass& pass) {
  return {pass.ws.normed.slice(0, pass.rows), pass.ws.normed_q8.rows(pass.ws.normed.cols)};
}

// normed = RMSNorm(x) for one row, also in 8 bits when a reader wants it.
inline void norm_row(Pass& pass, std::int64_t row, const float* weight, bool quantise) {
  const Config& c = pass.config();
  float* out = pass.ws.normed.row(row);
  pass.kernels.rms_norm(pass.ws.x.row(row), weight, c.rms_norm_eps, c.hidden_size, out);
  if (quantise) pass.ws.normed_q8.store(pass.kernels, row, c.hidden_size, 0, c.hidden_size, out);
}

// Columns [first, last) of branch are added to the residual stream.
inline void add_branch(Pass& pass, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = 0; row < pass.rows; ++row) {
    pass.kernels.add(pass.ws.x.row(row) + first, pass.ws.branch.row(row) + first, last - first);
  }
}

// Rotates `heads` heads of a row, `stride` apart, in place.
inline void rotate_heads(const Pass& pass, std::int64_t row, float* x, std::int64_t heads, std::int64_t stride) {
  const nn::RopeConfig& rope = pass.config().rope;
  const auto rotate = rope.interleaved ? pass.kernels.rope_interleaved : pass.kernels.rope_half;
  for (std::int64_t h = 0; h < heads; ++h) rotate(x + h * stride, pass.ws.cos.row(row), pass.ws.sin.row(row), rope.dims / 2);
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
