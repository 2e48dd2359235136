#include "model/weights.hpp"

#include <algorithm>

namespace fathom::model {
namespace {

bool same_formats(const GatedMlp& a, const GatedMlp& b) {
  const auto same = [](const nn::Linear& x, const nn::Linear& y) {
    return !x || !y || x.weights().format == y.weights().format;
  };
  return same(a.gate, b.gate) && same(a.up, b.up) && same(a.down, b.down);
}

void widen(MatrixColumns& columns, const nn::Linear& matrix) {
  if (!matrix) return;
  columns.count = matrix.out();
  columns.bytes_each = std::max(columns.bytes_each, matrix.weights().stored.row_bytes);
}

// Calls visit(linear) for every matrix; of a layer's experts for one of each combination of formats.
template <typename Visit>
void for_matrices(const Weights& weights, Visit&& visit) {
  const auto visit_mlp = [&](const GatedMlp& mlp) {
    for (const nn::Linear* linear : {&mlp.gate, &mlp.up, &mlp.down}) {
      if (*linear) visit(*linear);
    }
  };
  if (weights.output) visit(weights.output);
  for (const LayerWeights& layer : weights.layers) {
    const AttentionWeights& a = layer.attention;
    for (const nn::Linear* linear : {&a.q, &a.k, &a.v, &a.q_a, &a.q_b, &a.kv_a, &a.output, &layer.experts.router}) {
      if (*linear) visit(*linear);
    }
    visit_mlp(layer.mlp);
    visit_mlp(layer.experts.shared);
    for (const std::int32_t id : layer.experts.store.distinct()) visit_mlp(layer.experts.store.expert(id));
  }
}

}  // namespace

void ExpertStore::add(GatedMlp expert) {
  widen(gate_, expert.gate);
  widen(down_, expert.down);
  const bool known = std::any_of(distinct_.begin(), distinct_.end(),
                                 [&](std::int32_t id) { return same_formats(experts_[std::size_t(id)], expert); });
  if (!known) distinct_.push_back(std::int32_t(experts_.size()));
  experts_.push_back(std::move(expert));
}

std::size_t Weights::linear_scratch_bytes(std::int64_t max_rows) const noexcept {
  std::size_t bytes = 0;
  for_matrices(*this, [&](const nn::Linear& linear) { bytes = std::max(bytes, linear.scratch_bytes(max_rows)); });
  return bytes;
}

ActivationForms Weights::activation_forms(std::int64_t max_rows) const noexcept {
  ActivationForms forms;
  for_matrices(*this, [&](const nn::Linear& linear) { forms.add(linear.forms(max_rows)); });
  return forms;
}

}  // namespace fathom::model
