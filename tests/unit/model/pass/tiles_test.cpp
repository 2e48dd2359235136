#include "model/pass/tiles.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "model/pass/plan.hpp"
#include "nn/linear.hpp"
#include "unit/kernels/sample_matrix.hpp"

using namespace fathom;
using model::ColumnTile;

namespace {

nn::Linear linear_of(const test::SampleMatrix& sample, const GemmBackend& backend) {
  return nn::Linear({sample.format(), sample.rows(), sample.cols(), sample.view()}, nullptr, backend, nullptr, 0, 1,
                    heap_allocator());
}

}  // namespace

TEST_CASE("tiles are whole multiples of 64 columns, near a quarter of a megabyte, and several for each worker") {
  for (const int workers : {1, 2, 8, 64}) {
    for (const std::int64_t columns : {1, 63, 64, 65, 2048, 129280}) {
      for (const std::int64_t bytes : {1, 68, 4096, 14336, 1 << 22}) {
        CAPTURE(workers);
        CAPTURE(columns);
        CAPTURE(bytes);
        const std::int64_t width = model::tile_width(columns, bytes, workers);
        CHECK(width > 0);
        CHECK(width % 64 == 0);
        if (width > 64) {
          CHECK(width * bytes <= 256 << 10);
          CHECK(width * 4 * workers <= columns);
        }
      }
    }
  }
}

TEST_CASE("tiles keep the limits they are given") {
  for (const model::TileLimits limits : {model::TileLimits{.least = 16}, model::kStreamTiles}) {
    for (const std::int64_t columns : {16, 2048, 7168}) {
      for (const std::int64_t bytes : {0, 968, 9920, 80000}) {
        const std::int64_t width = model::tile_width(columns, bytes, 2, limits);
        CHECK(width % limits.least == 0);
        CHECK(width >= limits.least);
        if (width > limits.least) {
          CHECK(width * bytes <= limits.bytes);
          CHECK(width * limits.per_worker * 2 <= columns);
        }
      }
    }
  }
  // A wide one is cut evenly, into as many for each worker: not 896, 896, 256 and 896, 896, 896, 128.
  CHECK(model::tile_width(2048, 1152, 2, model::kStreamTiles) == 512);
  CHECK(model::tile_width(2816, 1152, 2, model::kStreamTiles) == 704);
  CHECK(model::tile_width(1408, 1152, 2, model::kStreamTiles) == 704);
}

TEST_CASE("the tiles of several matrices cover every column of each exactly once") {
  const auto backend = make_native_backend(*kernels::scalar_table());
  Rng rng(1);
  const std::int64_t outs[] = {1, 64, 1000, 130};
  std::vector<nn::Linear> matrices;
  std::vector<test::SampleMatrix> samples;
  samples.reserve(4);
  for (const std::int64_t out : outs) samples.emplace_back(StorageFormat::f32, out, 4, rng);
  for (const test::SampleMatrix& sample : samples) matrices.push_back(linear_of(sample, *backend));
  const nn::Linear* list[] = {&matrices[0], &matrices[1], &matrices[2], &matrices[3]};
  for (const int workers : {1, 2, 5}) {
    std::map<std::pair<int, std::int64_t>, int> covered;
    const std::int64_t units = model::count_column_tiles(list, workers);
    for (std::int64_t unit = 0; unit < units; ++unit) {
      const ColumnTile tile = model::find_column_tile(list, unit, workers);
      CHECK(tile.first < tile.last);
      CHECK(tile.first % 64 == 0);
      for (std::int64_t column = tile.first; column < tile.last; ++column) ++covered[{tile.matrix, column}];
    }
    CHECK(covered.size() == 1 + 64 + 1000 + 130);
    for (const auto& [column, times] : covered) CHECK(times == 1);
  }
}

TEST_CASE("row units cover the rows") {
  CHECK(model::row_units(0) == 0);
  CHECK(model::row_units(1) == 1);
  CHECK(model::row_units(model::kRowsPerUnit) == 1);
  CHECK(model::row_units(model::kRowsPerUnit + 1) == 2);
}

TEST_CASE("matrices of one shape are cut alike, by their widest column") {
  for (const std::int64_t columns : {1, 64, 1408, 2048}) {
    const model::EvenTiles narrow(columns, 100, 2, model::kStreamTiles), wide(columns, 4096, 2, model::kStreamTiles);
    for (const model::EvenTiles& tiles : {narrow, wide}) {
      std::int64_t next = 0;
      for (std::int64_t i = 0; i < tiles.count; ++i) {
        CHECK(tiles.at(i).first == next);
        next = tiles.at(i).last;
      }
      CHECK(next == columns);
    }
    CHECK(wide.width <= narrow.width);
  }
}
