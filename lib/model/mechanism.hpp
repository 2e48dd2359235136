// What a layer is made of. A mechanism (an attention, a feed-forward part) keeps all its facets in one room; a layer is a list
// of them, each wrapped by the layer's residual. Data and function pointers: no inheritance, no registration.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "model/config/config.hpp"
#include "model/pass/arena.hpp"
#include "model/pass/plan.hpp"
#include "model/pass/slot.hpp"
#include "nn/kv_cache.hpp"
#include "nn/linear.hpp"

namespace fathom::model {

class TensorLoader;
struct Network;

// How a matrix takes part in its mechanism.
struct MatrixUse {
  enum class Reads {
    input,     // all rows that the residual hands the mechanism
    gathered,  // some of these rows: those that chose an expert
    other,     // what the mechanism made itself
  };
  const WeightView& weights;
  const nn::Linear* linear = nullptr;  // null where attention multiplies by itself
  Reads reads = Reads::other;
  bool routed = false;            // of a routed expert: a token reads experts_per_token of all
  std::size_t scratch_bytes = 0;  // of one thread, besides what `linear` says
};
using MatrixVisitor = std::function<void(const MatrixUse&)>;

// The parts of a cache row of one layer, in values. A part whose first `cut` values are read apart from the rest says so.
struct CachePart {
  std::int64_t width = 0, cut = 0;
};

struct Mechanism {
  const char* name;
  // Finds, checks and views the mechanism's tensors of layer `layer`. Throws Error naming the tensor.
  void (*load)(TensorLoader& loader, int layer, Slot& weights);
  // Visits every matrix: the one list behind costs, scratch, activation forms and cache formats.
  void (*matrices)(const Slot& weights, const MatrixVisitor& visit);
  // What attention remembers of each position. Null: nothing.
  void (*streams)(const Config& config, int layer, std::vector<CachePart>& parts);
  // Takes what the stages write: once a pass, for all `layers` that have this mechanism. Layers run one after the other and
  // share it.
  void (*memory)(const Network& network, std::span<const int> layers, PassMemoryPlan& plan, Slot& scratch);
  // Adds its stages.
  void (*plan)(const Config& config, Place at, Plan& plan);
};

// How a block reads the residual stream, and how its output returns there.
struct Residual {
  const char* name;
  void (*load)(TensorLoader& loader, int layer, Slot& weights);
  // Stages before block `at.block`: they leave the rows that it reads in Pass::memory.normed.
  void (*enter)(const Config& config, Place at, Plan& plan);
  // Adds factor * values to columns [first, first + count) of the stream's row: the only way in.
  void (*merge)(Pass& pass, Place at, std::int64_t row, std::int64_t first, std::int64_t count, const float* values,
                float factor);
  // Stages after the block. Null: none.
  void (*leave)(const Config& config, Place at, Plan& plan);
};

}  // namespace fathom::model
