// Products with the rows of a pass: how they are cut in units, what they read, where a unit's result goes.
#pragma once

#include <algorithm>
#include <span>

#include "model/pass/pass.hpp"
#include "model/pass/tiles.hpp"

namespace fathom::model {

// Stages that work row by row.
inline std::int64_t all_row_units(const Pass& pass, Place) { return row_units(pass.rows); }

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
inline Activations normed_rows(const Pass& pass) {
  return pass.memory.normed_rounded.rows(pass.memory.normed.slice(0, pass.rows));
}

// The unit's part of Pass::memory.branch goes to the residual stream.
inline void merge_branch(Pass& pass, Place at, const ProductUnit& unit) {
  const ColumnTile& tile = unit.tile;
  for (std::int64_t row = unit.rows.first; row < unit.rows.first + unit.rows.count; ++row) {
    pass.merge(at, row, tile.first, tile.last - tile.first, pass.memory.branch.row(row) + tile.first, 1.0f);
  }
}

}  // namespace fathom::model
