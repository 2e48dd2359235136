#include "model/pass/tiles.hpp"

namespace fathom::model {
namespace {

std::int64_t tile_of(const nn::Linear& matrix, int workers, const TileLimits& limits) {
  return tile_width(matrix.out(), matrix.weights().stored.row_bytes, workers, limits);
}

std::int64_t tiles_of(const nn::Linear& matrix, int workers, const TileLimits& limits) {
  const std::int64_t tile = tile_of(matrix, workers, limits);
  return (matrix.out() + tile - 1) / tile;
}

}  // namespace

std::int64_t tile_width(std::int64_t columns, std::int64_t bytes_per_column, int workers, const TileLimits& limits) noexcept {
  const std::int64_t by_bytes = limits.bytes / std::max<std::int64_t>(bytes_per_column, 1);
  const std::int64_t by_share = columns / (limits.per_worker * workers);
  const std::int64_t widest = std::max(std::min(by_bytes, by_share) / limits.least, std::int64_t{1}) * limits.least;
  const std::int64_t rounds = (columns + widest * workers - 1) / (widest * workers);
  const std::int64_t even = (columns + rounds * workers - 1) / (rounds * workers);
  return (even + limits.least - 1) / limits.least * limits.least;
}

std::int64_t count_column_tiles(std::span<const nn::Linear* const> matrices, int workers, const TileLimits& limits) noexcept {
  std::int64_t count = 0;
  for (const nn::Linear* matrix : matrices) count += tiles_of(*matrix, workers, limits);
  return count;
}

ColumnTile find_column_tile(std::span<const nn::Linear* const> matrices, std::int64_t unit, int workers,
                            const TileLimits& limits) noexcept {
  int index = 0;
  for (std::int64_t tiles; unit >= (tiles = tiles_of(*matrices[std::size_t(index)], workers, limits)); ++index) unit -= tiles;
  const nn::Linear& matrix = *matrices[std::size_t(index)];
  const std::int64_t tile = tile_of(matrix, workers, limits);
  return {index, unit * tile, std::min(matrix.out(), (unit + 1) * tile)};
}

}  // namespace fathom::model
