// A checkpoint, whatever it is stored in.
#pragma once

#include <memory>
#include <string>

#include "base/file_system.hpp"
#include "io/tensor_source.hpp"
#include "io/value.hpp"

namespace fathom::io {

enum class Container { huggingface, gguf };

struct Checkpoint {
  std::string path;
  Container container = Container::huggingface;
  std::unique_ptr<TensorSource> tensors;  // null when a folder was opened for text only
  Value config;                           // config.json, or the metadata of the GGUF file
  Value generation_config;                // null when the folder has none (always for GGUF)
  Value tokenizer;                        // tokenizer.json; null when absent (always for GGUF)
  Value tokenizer_config;                 // tokenizer_config.json, likewise
};

enum class Want {
  everything,  // tensors and config.json must be there
  text,        // a folder needs no more than tokenizer.json
};

// A folder is a Hugging Face checkpoint; a file is told by its first bytes (or, for a single .safetensors, its ending:
// its folder is opened). Throws Error{not_found, io_error, corrupt_file, unsupported}.
Checkpoint open_checkpoint(FileSystem& files, const std::string& path, Want want = Want::everything);

}  // namespace fathom::io
