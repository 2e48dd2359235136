#include "model/feed_forward/experts/expert_store.hpp"

#include <algorithm>

namespace fathom::model {
namespace {

void widen(MatrixColumns& columns, const nn::Linear& matrix) {
  columns.count = matrix.out();
  columns.bytes_each = std::max(columns.bytes_each, matrix.weights().stored.row_bytes);
}

}  // namespace

void ExpertStore::add(GatedMlp expert) {
  widen(gate_, expert.gate);
  widen(down_, expert.down);
  experts_.push_back(std::move(expert));
}

}  // namespace fathom::model
