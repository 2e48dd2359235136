// From a checkpoint to weights: every tensor found by name, checked against the configuration, mapped where it lies.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

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
  std::int64_t max_rows = 512;                                       // of activations, for the back ends
};

// Who multiplies. `many` may be null.
struct Backends {
  const GemmBackend* few = nullptr;
  const GemmBackend* many = nullptr;
};

// Takes over checkpoint.tensors. Throws Error{corrupt_file, unsupported, out_of_memory, cancelled}; nothing is kept then.
Weights load_weights(io::Checkpoint& checkpoint, const Family& family, const Config& config, const Backends& backends,
                     Allocator& allocator, const LoadOptions& options);

// The checks of load_weights without reading a weight: throws what it would throw. Returns the bytes it would take from the
// allocator.
std::int64_t check_tensors(const io::Checkpoint& checkpoint, const Family& family, const Config& config);

}  // namespace fathom::model
