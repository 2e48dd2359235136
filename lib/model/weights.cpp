#include "model/weights.hpp"

#include <algorithm>

namespace fathom::model {
namespace {

std::size_t scratch_of(const nn::Linear& linear, std::int64_t rows) { return linear ? linear.scratch_bytes(rows) : 0; }
std::size_t scratch_of(const GatedMlp& mlp, std::int64_t rows) {
  return std::max({scratch_of(mlp.gate, rows), scratch_of(mlp.up, rows), scratch_of(mlp.down, rows)});
}

}  // namespace

std::size_t Weights::linear_scratch_bytes(std::int64_t max_rows) const noexcept {
  std::size_t bytes = scratch_of(output, max_rows);
  for (const LayerWeights& layer : layers) {
    const AttentionWeights& a = layer.attention;
    for (const nn::Linear* linear : {&a.q, &a.k, &a.v, &a.q_a, &a.q_b, &a.kv_a, &a.output, &layer.experts.router}) {
      bytes = std::max(bytes, scratch_of(*linear, max_rows));
    }
    bytes = std::max({bytes, scratch_of(layer.mlp, max_rows), scratch_of(layer.experts.shared, max_rows)});
    // Experts of a layer share their shapes and formats.
    if (layer.experts.store.count() > 0) bytes = std::max(bytes, scratch_of(layer.experts.store.expert(0), max_rows));
  }
  return bytes;
}

}  // namespace fathom::model
