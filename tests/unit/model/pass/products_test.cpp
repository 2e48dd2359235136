// How products are cut in rows.
#include <doctest/doctest.h>

#include "model/pass/products.hpp"

using namespace fathom::model;

TEST_CASE("blocks cover all rows in order, and only a lone one has fewer rows than the least") {
  for (const std::int64_t least : {1, 64, 128, 256}) {
    for (std::int64_t rows = 1; rows <= 1030; ++rows) {
      const std::int64_t blocks = count_row_blocks(rows, least);
      std::int64_t next = 0;
      for (std::int64_t i = 0; i < blocks; ++i) {
        const RowBlock block = find_row_block(rows, blocks, i);
        REQUIRE(block.first == next);
        REQUIRE((blocks == 1 || block.count >= least));
        REQUIRE(block.count < 2 * least);
        next += block.count;
      }
      REQUIRE(next == rows);
    }
  }
}
