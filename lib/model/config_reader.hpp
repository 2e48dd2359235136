// Reading configuration values with a complaint that names file and key: HF's config.json and GGUF's metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/open.hpp"
#include "model/config.hpp"

namespace fathom::model {

// One object of keys: config.json (or a member of it), or GGUF metadata with the architecture as a prefix.
class ConfigReader {
 public:
  ConfigReader(const io::Value& object, std::string origin, std::string prefix = {})
      : object_(&object), origin_(std::move(origin)), prefix_(std::move(prefix)) {}

  const std::string& origin() const { return origin_; }
  bool has(std::string_view key) const;              // present and not null
  std::int64_t integer(std::string_view key) const;  // throws Error{corrupt_file} when absent or of another kind
  std::int64_t integer(std::string_view key, std::int64_t otherwise) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double otherwise) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
  const io::Value& value(std::string_view key) const;  // null value when absent
  ConfigReader member(std::string_view key) const;     // an object; empty when absent

 private:
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }
  [[noreturn]] void wrong(std::string_view key, std::string_view expected) const;

  const io::Value* object_;
  std::string origin_;
  std::string prefix_;
};

// config.json, or its text_config when the checkpoint wraps a language model.
ConfigReader huggingface_config(const io::Checkpoint& checkpoint);
// Metadata under "<architecture>.".
ConfigReader gguf_config(const io::Checkpoint& checkpoint);

// architectures[0] / model_type of config.json; general.architecture of GGUF. Empty when absent.
std::string huggingface_architecture(const io::Checkpoint& checkpoint);
std::string huggingface_model_type(const io::Checkpoint& checkpoint);
std::string gguf_architecture(const io::Checkpoint& checkpoint);

// What every family reads alike: sizes, norm epsilon, heads, rope theta and dims (= head_dim), no windows, a dense model.
Config read_common_huggingface(const ConfigReader& reader);
Config read_common_gguf(const ConfigReader& reader, const io::Checkpoint& checkpoint);

// rope_scaling or rope_parameters; GGUF's rope.scaling.* keys and the rope_freqs tensor. Fills config.rope but not the
// softmax factor, which only latent attention has.
void read_rope_scaling_huggingface(const ConfigReader& reader, Config& config);
void read_rope_scaling_gguf(const ConfigReader& reader, const io::Checkpoint& checkpoint, Config& config);

// 1 / sqrt(head_dim)
float default_softmax_scale(const Config& config);

}  // namespace fathom::model
