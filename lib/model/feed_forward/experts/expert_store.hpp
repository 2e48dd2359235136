// The routed experts of one layer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/feed_forward/gated_mlp.hpp"

namespace fathom::model {

// How many columns a product with a matrix gives, and the bytes of weights read for each.
struct MatrixColumns {
  std::int64_t count = 0;
  std::int64_t bytes_each = 0;
};

// Experts have one shape, and each has storage formats of its own. The forward pass asks for an expert and gets its matrices;
// where the bytes are is the store's affair.
class ExpertStore {
 public:
  void add(GatedMlp expert);
  const GatedMlp& expert(std::int64_t id) const noexcept { return experts_[std::size_t(id)]; }
  std::span<const GatedMlp> all() const noexcept { return experts_; }
  std::int64_t count() const noexcept { return std::int64_t(experts_.size()); }
  // Columns of gate (and of up) and of down, with the largest bytes that one takes in any expert: all experts are cut in the
  // same tiles.
  MatrixColumns gate_columns() const noexcept { return gate_; }
  MatrixColumns down_columns() const noexcept { return down_; }

 private:
  std::vector<GatedMlp> experts_;
  MatrixColumns gate_, down_;
};

}  // namespace fathom::model
