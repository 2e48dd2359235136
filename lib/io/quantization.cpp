#include "io/quantization.hpp"

#include <string_view>
#include <utility>

namespace fathom::io {
namespace {

// Endings of tensor names that only one method's checkpoints have, or two methods'.
constexpr std::pair<std::string_view, std::string_view> kEndings[] = {
    {".qweight", "gptq or awq"},
    {".weight_packed", "compressed-tensors"},
    {".weight.absmax", "bitsandbytes"},
    {".SCB", "bitsandbytes"},
};

std::string stated_method(const Value& config) {
  const Value& quantization = config["quantization_config"];
  if (const auto method = quantization["quant_method"].as_string()) return std::string(*method);
  // Folders older than quant_method.
  if (quantization["load_in_4bit"].as_bool() == true || quantization["load_in_8bit"].as_bool() == true) return "bitsandbytes";
  return {};
}

}  // namespace

std::string quantization_method(const Checkpoint& checkpoint) {
  if (checkpoint.container != Container::huggingface) return {};
  for (const Value* config : {&checkpoint.config, &checkpoint.config["text_config"]}) {
    if (std::string method = stated_method(*config); !method.empty()) return method;
  }
  if (!checkpoint.tensors) return {};
  for (const TensorInfo& tensor : checkpoint.tensors->tensors()) {
    for (const auto& [ending, method] : kEndings) {
      if (tensor.name.ends_with(ending)) return std::string(method);
    }
  }
  return {};
}

}  // namespace fathom::io
