// How a product is cut in columns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "nn/linear.hpp"

namespace fathom::model {

// Columns [first, last) of one matrix.
struct ColumnTile {
  int matrix = 0;  // index in the list
  std::int64_t first = 0, last = 0;
};

// How large a tile of columns is: whole multiples of `least` columns, at most `bytes` of weights, not fewer than `per_worker`
// for each worker, and as many for each. 64 is a multiple of what back ends take together, and of the 32 values that are
// quantised together.
struct TileLimits {
  std::int64_t least = 64;
  std::int64_t bytes = 256 << 10;
  std::int64_t per_worker = 4;
};
// Few rows of activations mostly stream the weights, and the longer a stream is, the faster.
inline constexpr std::int64_t kStreamRows = 32;
inline constexpr TileLimits kStreamTiles{.bytes = 1 << 20, .per_worker = 1};

// How products of so many rows of activations are cut; for routed experts' matrices, rows of the expert that has most.
inline TileLimits tile_limits(std::int64_t rows) { return rows <= kStreamRows ? kStreamTiles : TileLimits{}; }

std::int64_t tile_width(std::int64_t columns, std::int64_t bytes_per_column, int workers,
                        const TileLimits& limits = {}) noexcept;

// The tiles of matrices of one shape whose formats may differ: cut alike, by the widest column.
struct EvenTiles {
  EvenTiles(std::int64_t columns_, std::int64_t bytes_per_column, int workers, const TileLimits& limits) noexcept
      : columns(columns_),
        width(tile_width(columns_, bytes_per_column, workers, limits)),
        count((columns_ + width - 1) / width) {}
  ColumnTile at(std::int64_t index) const noexcept { return {0, index * width, std::min(columns, (index + 1) * width)}; }

  std::int64_t columns, width, count;
};

// The tiles of several matrices that read the same activations, one after another.
std::int64_t count_column_tiles(std::span<const nn::Linear* const> matrices, int workers,
                                const TileLimits& limits = {}) noexcept;
ColumnTile find_column_tile(std::span<const nn::Linear* const> matrices, std::int64_t unit, int workers,
                            const TileLimits& limits = {}) noexcept;

}  // namespace fathom::model
