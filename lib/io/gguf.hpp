// The GGUF container, versions 2 and 3: metadata, tensor infos, aligned data; one file or a numbered series.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "io/tensor_source.hpp"
#include "io/value.hpp"

namespace fathom::io {

struct GgufHeader {
  Value metadata;  // an object: key -> value; integers of every width become int64 (or uint64 when they must)
  std::vector<TensorInfo> tensors;
  std::uint32_t version = 0;
};

// Throws Error{corrupt_file} or Error{unsupported}; the message names the file, the offset, found and expected.
GgufHeader read_gguf_header(File& file, std::uint32_t part);

struct GgufFile {
  Value metadata;  // of the first part
  std::unique_ptr<TensorSource> tensors;
};

// Opens `path` and, when its metadata says so (split.count), its siblings base-0000N-of-0000M.gguf.
GgufFile open_gguf(FileSystem& files, const std::string& path);

}  // namespace fathom::io
