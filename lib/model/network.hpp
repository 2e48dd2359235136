// A model ready to run: configuration, weights and plan, with the arithmetic that serves them. Immutable; shared.
#pragma once

#include <memory>
#include <vector>

#include "backend/select.hpp"
#include "model/config.hpp"
#include "model/plan.hpp"
#include "model/weights.hpp"
#include "nn/kv_cache.hpp"

namespace fathom::model {

struct Network {
  std::shared_ptr<const Engine> engine;
  Config config;
  Weights weights;
  std::vector<double> rope_frequencies;  // [rope.dims / 2]
  Plan body;                             // from token ids to the residual stream after the last layer
  Plan head;                             // from there to logits
  // Some matrix is in a block format, and products with it round activations.
  bool rounds_activations = false;

  nn::KvCacheShape cache_shape(StorageFormat format) const;
  // F32 for checkpoints in floating formats, so that they compute what their makers' code computes; F16 where the weights
  // are quantised anyway.
  StorageFormat automatic_cache_format() const;
  // Attention to such a cache may then round to BF16, where there are instructions for that. F32 caches are for those who want
  // no rounding.
  bool attends_in_bf16(StorageFormat cache) const;
  std::int64_t moe_layers() const;
};

}  // namespace fathom::model
