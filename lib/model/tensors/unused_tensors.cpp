#include "model/tensors/unused_tensors.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.hpp"

namespace fathom::model {
namespace {

// Layer N of "model.layers.N." or "blk.N.".
std::optional<std::int64_t> layer_of(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::int64_t layer = 0;
  const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  return layer;
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}
bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view beginning) { return name.starts_with(beginning); });
}

// Rotary frequencies follow from the configuration. Scales of caches and activations are for engines that round these.
bool is_harmless(std::string_view name) {
  return ends_with_any(name, {"rotary_emb.inv_freq", "attn_rot_embd.weight", ".k_scale", ".v_scale", ".q_scale", ".input_scale",
                              ".output_scale", ".kv_scale"});
}

// Does the tensor belong to the layers that run, or to the ends of the model?
bool takes_part(const TensorLoader& loader, std::string_view name) {
  if (is_harmless(name)) return false;
  const bool gguf = loader.in_gguf();
  if (const auto layer = layer_of(name, gguf ? "blk." : "model.layers.")) return *layer < loader.config.num_hidden_layers;
  // A file of its own container holds a language model and nothing else, but for these.
  if (gguf) return name != "rope_freqs.weight" && !starts_with_any(name, {"v.", "a.", "mm.", "cls", "resampler.", "s."});
  return starts_with_any(name, {"model.embed", "model.norm", "lm_head."});
}

}  // namespace

std::vector<std::string> check_unused_tensors(const TensorLoader& loader) {
  std::vector<std::string> passed_over;
  for (const io::TensorInfo* tensor : loader.unused()) {
    if (takes_part(loader, tensor->name)) {
      fail(Status::unsupported, "{} takes part in the model, and the family {} does not compute it", loader.describe(*tensor),
           loader.config.family);
    }
    passed_over.push_back(tensor->name);
  }
  return passed_over;
}

}  // namespace fathom::model
