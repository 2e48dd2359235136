// From a checkpoint to weights: every tensor found by name, checked against the configuration, mapped where it lies.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/gemm_backend.hpp"
#include "base/task_system.hpp"
#include "io/open.hpp"
#include "model/families.hpp"
#include "model/weights.hpp"

namespace fathom::model {

struct LoadOptions {
  std::function<bool(double done, std::string_view what)> progress;  // returning false cancels
  bool verify = false;                                               // refuse NaN and infinity
  TaskSystem* bring_in = nullptr;                                    // where given, it brings mapped weights into memory
  bool place = false;           // matrices in memory of the model's own, as products read them fastest
  std::int64_t max_rows = 512;  // of activations, for the back ends
};

// Who multiplies: few rows, and by the first that takes the matrix many. Those for many may be null.
struct Backends {
  const GemmBackend* few = nullptr;
  const GemmBackend* bf16 = nullptr;
  const GemmBackend* onednn = nullptr;
};

// A matrix that is still to be moved from where it is stored into memory of the model's own.
struct Placement {
  WeightView stored;
  kernels::InterleaveRows interleave = nullptr;  // null: as it is
  std::uint8_t* out = nullptr;
};

// Takes over checkpoint.tensors. What `placements` lists is left to do: until then those matrices hold nothing. Throws
// Error{corrupt_file, unsupported, out_of_memory, cancelled}; nothing is kept then.
Weights load_weights(io::Checkpoint& checkpoint, const Family& family, const Config& config, const Backends& backends,
                     Allocator& allocator, const LoadOptions& options, std::vector<Placement>& placements);

// Bytes that loading takes, or would take.
struct LoadBytes {
  std::int64_t owned = 0;     // from the allocator
  std::int64_t placed = 0;    // of these, for matrices that are placed
  std::int64_t released = 0;  // of the files, which need not be in memory for these matrices
};

// The checks of load_weights without reading a weight: throws what it would throw.
LoadBytes check_tensors(const io::Checkpoint& checkpoint, const Family& family, const Config& config,
                        const Backends& backends = {}, const LoadOptions& options = {});

}  // namespace fathom::model
