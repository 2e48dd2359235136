// How grouped-query attention is cut in rows.
#include <doctest/doctest.h>

#include "model/attention/grouped_query/grouped_query_rows.hpp"

using namespace fathom::model;

namespace {

AttentionSpec heads(std::int64_t queries, std::int64_t keys, std::int64_t width) {
  return {.heads = queries, .kv_heads = keys, .head_dim = width, .v_head_dim = width};
}

}  // namespace

TEST_CASE("short contexts are attended to by as many queries as a unit holds") {
  CHECK(grouped_query_rows(heads(32, 8, 128), 1) == kQueryRows / 4);
  CHECK(grouped_query_rows(heads(32, 32, 128), 2000) == kQueryRows);
  CHECK(grouped_query_rows(heads(9, 3, 64), 4096) == kQueryRows / 3);
}

TEST_CASE("a unit keeps to its products, or to the fewest queries, and always has a row") {
  for (const AttentionSpec& c : {heads(32, 8, 128), heads(32, 32, 128), heads(71, 1, 64), heads(64, 8, 64)}) {
    const std::int64_t group = c.heads / c.kv_heads;
    std::int64_t before = kQueryRows;
    for (std::int64_t seen = 1; seen <= 1 << 20; seen += 1 + seen / 3) {
      const std::int64_t rows = grouped_query_rows(c, seen);
      REQUIRE(rows >= 1);
      REQUIRE(rows <= before);
      const bool affordable = rows * group * seen * (c.head_dim + c.v_head_dim) <= kUnitProducts;
      const bool fewest = rows == std::max<std::int64_t>(1, kFewestQueries / group);
      REQUIRE((affordable || fewest));
      before = rows;
    }
  }
}
