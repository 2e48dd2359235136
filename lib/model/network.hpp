// A model ready to run: configuration, weights and plan, with the arithmetic that serves them. Immutable; shared.
#pragma once

#include <memory>
#include <vector>

#include "backend/gemm_backend.hpp"
#include "kernels/kernel_table.hpp"
#include "model/config.hpp"
#include "model/plan.hpp"
#include "model/weights.hpp"
#include "nn/kv_cache.hpp"

namespace fathom::model {

// The instruction set in use and who multiplies with it. One a runtime.
struct Engine {
  // `isa_level` has the order of fathom::Isa. `invariant`: the same kernels whatever the row count.
  Engine(int isa_level, bool invariant);

  const kernels::KernelTable& kernels;
  bool invariant;
  std::unique_ptr<GemmBackend> native;
  std::unique_ptr<GemmBackend> onednn;  // null when invariant, or when there is none
};

struct Network {
  std::shared_ptr<const Engine> engine;
  Config config;
  Weights weights;
  std::vector<double> rope_frequencies;  // [rope.dims / 2]
  Plan body;                             // from token ids to the residual stream after the last layer
  Plan head;                             // from there to logits

  nn::KvCacheShape cache_shape(StorageFormat format) const;
  // F32 for checkpoints in floating formats, so that they compute what their makers' code computes; F16 where the weights
  // are quantised anyway.
  StorageFormat automatic_cache_format() const;
  std::int64_t moe_layers() const;
};

}  // namespace fathom::model
