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

// Products of many rows are cut in rows as well, so that no unit takes long. The cuts depend on the number of rows alone. No
// block but a lone one has fewer rows than `least`.
inline constexpr std::int64_t kProductRows = 64;
// With activations in BF16, whose products are several times as fast, and decode weights once for so many.
inline constexpr std::int64_t kBf16ProductRows = 128;

inline std::int64_t count_row_blocks(std::int64_t rows, std::int64_t least) { return std::max<std::int64_t>(1, rows / least); }

struct RowBlock {
  std::int64_t first = 0, count = 0;
};
inline RowBlock find_row_block(std::int64_t rows, std::int64_t blocks, std::int64_t index) {
  const std::int64_t first = rows * index / blocks;
  return {first, rows * (index + 1) / blocks - first};
}

// Blocks for these matrices: large enough that each takes the back end the whole would take.
inline std::int64_t count_row_blocks(const Pass& pass, std::span<const nn::Linear* const> matrices) {
  std::int64_t least = kProductRows;
  for (const nn::Linear* matrix : matrices) {
    const ActivationForm form = matrix->form(pass.rows);
    const bool bf16 = form == ActivationForm::bf16 || form == ActivationForm::bf16_terms;
    least = std::max({least, matrix->many_min_rows(), bf16 ? kBf16ProductRows : 0});
  }
  return count_row_blocks(pass.rows, least);
}

// What products of all rows of the pass read. Their blocks take the back end that the whole would take.
inline ActivationForms forms_of(const Pass& pass, std::span<const nn::Linear* const> readers) {
  ActivationForms forms;
  for (const nn::Linear* reader : readers) {
    if (*reader) forms.add(reader->form(pass.rows));
  }
  return forms;
}

// A tile of columns for a block of rows. Blocks follow each other within a tile, whose weights are then still near.
struct ProductUnit {
  ColumnTile tile;
  RowBlock rows;
};

// How products of so many rows of activations are cut; for routed experts' matrices, rows of the expert that has most.
inline TileLimits tile_limits(std::int64_t rows) { return rows <= kStreamRows ? kStreamTiles : TileLimits{}; }

inline std::int64_t count_product_units(const Pass& pass, std::span<const nn::Linear* const> matrices,
                                        const TileLimits& limits) {
  return count_column_tiles(matrices, pass.worker_count(), limits) * count_row_blocks(pass, matrices);
}
inline std::int64_t count_product_units(const Pass& pass, std::span<const nn::Linear* const> matrices) {
  return count_product_units(pass, matrices, tile_limits(pass.rows));
}
inline ProductUnit find_product_unit(const Pass& pass, std::span<const nn::Linear* const> matrices, std::int64_t unit,
                                     const TileLimits& limits) {
  const std::int64_t blocks = count_row_blocks(pass, matrices);
  return {find_column_tile(matrices, unit / blocks, pass.worker_count(), limits),
          find_row_block(pass.rows, blocks, unit % blocks)};
}
inline ProductUnit find_product_unit(const Pass& pass, std::span<const nn::Linear* const> matrices, std::int64_t unit) {
  return find_product_unit(pass, matrices, unit, tile_limits(pass.rows));
}
// y's columns of the tile, for the rows of the block.
inline void multiply_unit(const nn::Linear& matrix, const Activations& x, const Matrix<float>& y, const ProductUnit& unit,
                          Worker& worker) {
  matrix.multiply(x.slice(unit.rows.first, unit.rows.count), y.slice(unit.rows.first, unit.rows.count), unit.tile.first,
                  unit.tile.last, worker.linear);
}

// The normed rows of the pass, as every matrix of a layer reads them.
inline Activations normed_rows(const Pass& pass) { return pass.ws.normed_rounded.rows(pass.ws.normed.slice(0, pass.rows)); }

// normed = RMSNorm(x) for one row, also in the forms that readers want.
inline void norm_row(Pass& pass, std::int64_t row, const float* weight, ActivationForms forms) {
  const Config& c = pass.config();
  float* out = pass.ws.normed.row(row);
  pass.kernels.rms_norm(pass.ws.x.row(row), weight, c.rms_norm_eps, c.hidden_size, out);
  pass.ws.normed_rounded.store(pass.kernels, forms, row, c.hidden_size, 0, c.hidden_size, out);
}

// The unit's part of branch is added to the residual stream.
inline void add_branch(Pass& pass, const ProductUnit& unit) {
  for (std::int64_t row = unit.rows.first; row < unit.rows.first + unit.rows.count; ++row) {
    pass.kernels.add(pass.ws.x.row(row) + unit.tile.first, pass.ws.branch.row(row) + unit.tile.first,
                     unit.tile.last - unit.tile.first);
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
