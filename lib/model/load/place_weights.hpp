// Matrices placed while loading: from the file's pages, which then may go, into memory of the model's own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/task_system.hpp"
#include "io/tensor_source.hpp"
#include "model/tensors/load_options.hpp"

namespace fathom::model {

// Does what load_weights left to do, on all workers. Throws Error{cancelled} when `progress` (may be empty; called in between,
// on this thread, with the share done) returns false.
void place_weights(const io::TensorSource& tensors, std::span<const Placement> placements, TaskSystem& tasks,
                   const std::function<bool(double done, std::string_view what)>& progress);

}  // namespace fathom::model
