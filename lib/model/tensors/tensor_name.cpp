#include "model/tensors/tensor_name.hpp"

#include <fmt/format.h>

namespace fathom::model {

std::string tensor_name(std::span<const OtherName> others, io::Container container, const TensorName& name, std::int64_t layer,
                        std::int64_t expert) {
  std::string_view pattern = container == io::Container::gguf ? name.gguf : name.huggingface;
  for (const OtherName& other : others) {
    if (other.name == &name) pattern = other.pattern;
  }
  return fmt::format(fmt::runtime(pattern), layer, expert);
}

}  // namespace fathom::model
