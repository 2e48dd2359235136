// Tensors that a model did not use.
#pragma once

#include <string>
#include <vector>

#include "model/tensors/tensor_loader.hpp"

namespace fathom::model {

// After everything was loaded. A tensor that belongs to the language model changes its numbers: the first such one is refused
// with Error{unsupported} by its name. Returns the names of the others: vision towers, prediction layers, roundings that are
// not made.
std::vector<std::string> check_unused_tensors(const TensorLoader& loader);

}  // namespace fathom::model
