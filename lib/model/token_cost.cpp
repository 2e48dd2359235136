#include "model/token_cost.hpp"

#include "model/network.hpp"

namespace fathom::model {
namespace {

struct Matrices {
  std::int64_t bytes = 0, values = 0;

  // A matrix with the factors that its format keeps beside it.
  void add(const WeightView& w) {
    const kernels::WeightRows& stored = w.stored;
    bytes += w.bytes();
    values += w.rows * w.cols;
    if (stored.scales) {
      bytes += (w.rows + stored.scale_rows - 1) / stored.scale_rows * stored.scale_stride * (stored.scale_is_e8m0 ? 1 : 4);
    }
  }
  void add(const nn::Linear& linear) {
    if (linear) add(linear.weights());
  }
  void add(const GatedMlp& mlp) {
    add(mlp.gate);
    add(mlp.up);
    add(mlp.down);
  }
  void add(const nn::LatentHeads& heads) {
    add(heads.key_weights());
    if (heads.value_weights().stored.data != heads.key_weights().stored.data) add(heads.value_weights());
  }
};

}  // namespace

TokenCost token_cost(const Network& network) {
  Matrices shared, experts, head;
  for (const LayerWeights& layer : network.weights.layers) {
    const AttentionWeights& a = layer.attention;
    for (const nn::Linear* linear : {&a.q, &a.k, &a.v, &a.q_a, &a.q_b, &a.kv_a, &a.output, &layer.experts.router})
      shared.add(*linear);
    if (network.config.attention == Attention::latent) shared.add(a.heads);
    shared.add(layer.mlp);
    shared.add(layer.experts.shared);
    if (layer.experts.store.count() == 0) continue;
    // Experts may differ in format: a token reads their mean.
    Matrices all;
    for (const GatedMlp& expert : layer.experts.store.all()) all.add(expert);
    const std::int64_t chosen = network.config.router.experts_per_token, count = layer.experts.store.count();
    experts.bytes += all.bytes * chosen / count;
    experts.values += all.values * chosen / count;
  }
  head.add(network.weights.output);

  TokenCost cost;
  cost.expert_bytes = experts.bytes;
  cost.bytes = shared.bytes + experts.bytes + head.bytes + network.weights.token_embd.stored.row_bytes;
  cost.multiply_adds = shared.values + experts.values;
  cost.head_multiply_adds = head.values;
  return cost;
}

}  // namespace fathom::model
