// The experts that a mixture-of-experts model chose.
#pragma once

#include <cstdint>
#include <vector>

namespace fathom {

// The choice of one layer for one token.
struct Route {
  std::int64_t position = 0;
  std::int32_t layer = 0;
  std::vector<std::int32_t> experts;  // ids, ascending
  std::vector<float> weights;         // the factors of their outputs, in the order of `experts`
};

// How often each expert of a layer was chosen, and the sum of its weights. Both [experts].
struct RouteTotals {
  std::vector<std::uint64_t> counts;
  std::vector<double> weights;
};

}  // namespace fathom
