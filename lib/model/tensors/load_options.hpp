// What the host wants of loading, and what loading leaves to do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/weight_view.hpp"
#include "base/task_system.hpp"

namespace fathom::model {

struct LoadOptions {
  std::function<bool(double done, std::string_view what)> progress;  // returning false cancels
  bool verify = false;                                               // refuse NaN and infinity
  TaskSystem* bring_in = nullptr;                                    // where given, it brings mapped weights into memory
  bool read = false;                                                 // files are read into memory instead of being mapped
  TaskSystem* readers = nullptr;                                     // which read files that are not mapped
  bool place = false;           // matrices in memory of the model's own, as products read them fastest
  std::int64_t max_rows = 512;  // of activations, for the back ends
};

// A matrix that is still to be moved from where it is stored into memory of the model's own.
struct Placement {
  WeightView stored;
  kernels::InterleaveRows interleave = nullptr;  // null: as it is
  std::uint8_t* out = nullptr;
};

// Bytes that loading takes, or would take.
struct LoadBytes {
  std::int64_t owned = 0;     // from the allocator
  std::int64_t placed = 0;    // of these, for matrices that are placed
  std::int64_t released = 0;  // of the files, which need not be in memory for these matrices
};

}  // namespace fathom::model
