#include <array>

#include "base/error.hpp"
#include "io/quantization.hpp"
#include "model/families/family.hpp"
#include "model/families/unread_keys.hpp"

namespace fathom::model {
namespace {

// Rows are references, because the families live in their own files.
constexpr std::array kFamilies = {&kDeepseekV3, &kDeepseekV2, &kDeepseekV1, &kLlama,    &kMixtral,
                                  &kMistral,    &kQwen2,      &kQwen3,      &kQwen3Moe, &kGptOss};

// FP8 in tiles and MXFP4 are read from their tensors; every other method has tensors of its own.
void check_quantization(const io::Checkpoint& checkpoint) {
  const std::string method = io::quantization_method(checkpoint);
  if (method.empty() || method == "fp8" || method == "mxfp4") return;
  fail(Status::unsupported, "{}: the weights are quantised by the method '{}'; this version computes fp8 and mxfp4",
       checkpoint.path, method);
}

}  // namespace

const Family& find_family(const io::Checkpoint& checkpoint) {
  for (const Family* family : kFamilies) {
    if (family->matches(checkpoint)) return *family;
  }
  std::string known;
  for (const Family* family : kFamilies) known += fmt::format("{}{}", known.empty() ? "" : ", ", family->name);
  const bool gguf = checkpoint.container == io::Container::gguf;
  std::string found = gguf ? gguf_architecture(checkpoint) : huggingface_architecture(checkpoint);
  if (found.empty() && !gguf) found = huggingface_model_type(checkpoint);
  fail(Status::unsupported, "{}: architecture '{}' is none of the families this version runs ({})", checkpoint.path, found,
       known);
}

Config read_config(const io::Checkpoint& checkpoint, const Family& family, std::vector<std::string>* unknown) {
  check_quantization(checkpoint);
  const ConfigSource source(checkpoint);
  Config config = family.read_config(source);
  config.family = family.name;
  validate(config, checkpoint.path);
  std::vector<std::string> others = check_unread_keys(source, family);
  if (unknown) *unknown = std::move(others);
  return config;
}

}  // namespace fathom::model
