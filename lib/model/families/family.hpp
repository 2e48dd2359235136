// The model families fathom runs: how each is recognised, how its configuration reads, what its tensors are called.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/open.hpp"
#include "model/config/config.hpp"
#include "model/config/config_reader.hpp"
#include "model/tensors/tensor_name.hpp"

namespace fathom::model {

// A checkpoint whose configuration is being read.
struct ConfigSource {
  explicit ConfigSource(const io::Checkpoint& from)
      : checkpoint(from), reader(from.container == io::Container::gguf ? gguf_config(from) : huggingface_config(from)) {}
  bool gguf() const { return checkpoint.container == io::Container::gguf; }
  bool has_tensor(const std::string& name) const { return checkpoint.tensors && checkpoint.tensors->find(name); }

  const io::Checkpoint& checkpoint;
  ConfigReader reader;  // of config.json, or of the architecture's metadata
};

struct Family {
  std::string_view name;
  bool (*matches)(const io::Checkpoint& checkpoint);
  Config (*read_config)(const ConfigSource& source);
  std::span<const OtherName> huggingface_names;  // names that differ from the mechanisms' own
  std::span<const OtherName> gguf_names;
  // Keys of its config.json that change no number, besides those of every family (unread_keys.cpp).
  std::span<const std::string_view> harmless_keys;

  std::span<const OtherName> names(io::Container container) const {
    return container == io::Container::gguf ? gguf_names : huggingface_names;
  }
};

// The first row that matches. Throws Error{unsupported} naming the architecture found and the families there are.
const Family& find_family(const io::Checkpoint& checkpoint);

// The configuration, read, complete and valid. Throws Error{corrupt_file} for values that cannot be, and Error{unsupported}
// naming a key that changes the model's numbers and that the family does not compute. `unknown` (may be null) gets the keys
// that nobody knows.
Config read_config(const io::Checkpoint& checkpoint, const Family& family, std::vector<std::string>* unknown = nullptr);

// One a file in families/.
extern const Family kLlama, kMistral, kMixtral;  // llama.cpp
extern const Family kQwen2, kQwen3, kQwen3Moe;   // qwen.cpp
extern const Family kDeepseekV1;                 // deepseek_v1.cpp
extern const Family kDeepseekV2, kDeepseekV3;    // deepseek_v2.cpp
extern const Family kGptOss;                     // gpt_oss.cpp

}  // namespace fathom::model
