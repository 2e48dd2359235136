#include "model/load/token_cost.hpp"

#include "model/pass/network.hpp"

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
};

}  // namespace

TokenCost token_cost(const Network& network) {
  const nn::RouterConfig& router = network.config.router;
  Matrices shared, routed, head;
  for (const Layer& layer : network.layers) {
    Matrices experts;  // all of the layer
    for (const Block& block : layer.blocks) {
      block.mechanism->matrices(block.weights, [&](const MatrixUse& use) { (use.routed ? experts : shared).add(use.weights); });
    }
    if (router.experts == 0) continue;
    routed.bytes += experts.bytes * router.experts_per_token / router.experts;
    routed.values += experts.values * router.experts_per_token / router.experts;
  }
  head.add(network.output.weights());

  TokenCost cost;
  cost.expert_bytes = routed.bytes;
  cost.bytes = shared.bytes + routed.bytes + head.bytes + network.token_embd.stored.row_bytes;
  cost.multiply_adds = shared.values + routed.values;
  cost.head_multiply_adds = head.values;
  return cost;
}

}  // namespace fathom::model
