// The safetensors container: an eight-byte length, a JSON header, the data. Every rule of the reference reader is checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "io/tensor_source.hpp"

namespace fathom::io {

// Header of one file; `part` is written into each TensorInfo. Throws Error{corrupt_file}.
std::vector<TensorInfo> read_safetensors_header(File& file, std::uint32_t part);

// All tensors of a Hugging Face folder: model.safetensors.index.json with its shards, else model.safetensors, else the only
// *.safetensors there is. An index one of whose shards is missing does not count beside a model.safetensors that it does not
// name.
std::unique_ptr<TensorSource> open_safetensors_folder(FileSystem& files, const std::string& folder);

}  // namespace fathom::io
