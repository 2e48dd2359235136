// Mapped weights into memory before the first token needs them.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/task_system.hpp"
#include "io/tensor_source.hpp"
#include "model/tensors/load_options.hpp"

namespace fathom::model {

// Reads ahead what is mapped, apart from matrices that are placed (their pages go again), on all workers, in pieces; `progress`
// (may be empty) is called in between, on this thread, with the share done. Weights larger than memory are left to come in as
// they are used: reading ahead would push out its own beginning. Throws Error{cancelled} when progress returns false.
void bring_in_weights(const io::TensorSource& tensors, std::span<const Placement> placed, TaskSystem& tasks,
                      const std::function<bool(double done, std::string_view what)>& progress);

}  // namespace fathom::model
