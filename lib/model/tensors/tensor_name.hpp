// What tensors are called.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "io/open.hpp"

namespace fathom::model {

// The name of one tensor in each container: {} is the layer, a second {} the expert. It ends in .weight where the tensor may
// have a .bias beside it, and is empty where the container has no such tensor. Its address is its identity.
struct TensorName {
  std::string_view huggingface, gguf;
};

// A family's own pattern for a name.
struct OtherName {
  const TensorName* name;
  std::string_view pattern;
};

// Empty when the container has no such tensor.
std::string tensor_name(std::span<const OtherName> others, io::Container container, const TensorName& name,
                        std::int64_t layer = 0, std::int64_t expert = 0);

}  // namespace fathom::model
