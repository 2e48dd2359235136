// How many rows a unit of grouped-query attention takes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/attention/attention_units.hpp"
#include "model/config/config.hpp"

namespace fathom::model {

// Multiplications of a unit, of queries with keys and of weights with values: about two milliseconds with 80 GFLOP/s, the F32
// kernels of one core with AVX2. No unit grows with the context as long as fewer than kFewestQueries do not reach it, at 48,000
// positions of heads 128 wide.
inline constexpr std::int64_t kUnitProducts = 48'000'000;
// Fewer share a reading of the keys too dearly.
inline constexpr std::int64_t kFewestQueries = 4;

// Rows whose queries see up to `seen` positions each: as many as give kQueryRows queries, fewer where the context is long. Bits
// do not depend on it: a query goes through its positions by itself.
inline std::int64_t grouped_query_rows(const AttentionSpec& a, std::int64_t seen) noexcept {
  const std::int64_t group = a.heads / a.kv_heads;
  const std::int64_t affordable = kUnitProducts / std::max<std::int64_t>(1, seen * (a.head_dim + a.v_head_dim));
  return std::max<std::int64_t>(1, std::clamp(affordable, kFewestQueries, kQueryRows) / group);
}

}  // namespace fathom::model
