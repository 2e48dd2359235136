// How a checkpoint says that its weights are quantised.
#pragma once

#include <string>

#include "io/open.hpp"

namespace fathom::io {

// The method of a Hugging Face folder: quantization_config.quant_method of config.json ("fp8", "awq", "gptq"), or what the
// tensors' names show where config.json has none ("gptq or awq"). Empty where nothing says that the weights are quantised, and
// for GGUF, whose tensors have their types.
std::string quantization_method(const Checkpoint& checkpoint);

}  // namespace fathom::io
