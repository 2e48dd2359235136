#include "model/weights.hpp"

#include <algorithm>

namespace fathom::model {
namespace {

// Calls visit(linear) for every matrix, but for one expert of a layer only, whose shapes and formats the others share.
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
    if (layer.experts.store.count() > 0) visit_mlp(layer.experts.store.expert(0));
  }
}

}  // namespace

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
