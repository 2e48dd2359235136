// A GGUF model in one file, or in a numbered series of them of which any part may be named.
#include "base/error.hpp"
#include "io/gguf.hpp"

namespace fathom::io {
namespace {

// What the metadata says of a series of files.
struct Split {
  std::int64_t number = 0;  // of this file, from 0
  std::int64_t count = 1;
};

Split read_split(const Value& metadata, const std::string& path) {
  if (!metadata.has("split.count")) return {};
  const std::int64_t count = metadata["split.count"].as_int().value_or(-1);
  const std::int64_t number = metadata["split.no"].as_int().value_or(-1);
  if (count == 0) return {};
  if (count < 0 || count > 65535 || number < 0 || number >= count) {
    fail(Status::corrupt_file, "{}: split.no is {} and split.count is {}, expected integers with 0 <= no < count <= 65535",
         path, metadata.has("split.no") ? describe(metadata["split.no"]) : "missing", describe(metadata["split.count"]));
  }
  return {number, count};
}

std::string split_suffix(const Split& split) { return fmt::format("-{:05}-of-{:05}.gguf", split.number + 1, split.count); }

// "base" of "base-00002-of-00003.gguf".
std::string split_base(const std::string& path, const Split& split) {
  const std::string suffix = split_suffix(split);
  if (!path.ends_with(suffix)) {
    fail(Status::corrupt_file,
         "{}: its metadata says that it is part {} of {}, so its name should end in {} for the others to be found", path,
         split.number + 1, split.count, suffix);
  }
  return path.substr(0, path.size() - suffix.size());
}

void check_tensor_count(const Value& metadata, std::size_t found, const std::string& path) {
  if (!metadata.has("split.tensors.count")) return;
  const std::optional<std::int64_t> expected = metadata["split.tensors.count"].as_int();
  if (!expected || *expected < 0 || std::uint64_t(*expected) != found) {
    fail(Status::corrupt_file, "{}: split.tensors.count is {}, but the parts hold {} tensors", path,
         describe(metadata["split.tensors.count"]), found);
  }
}

GgufFile open_series(FileSystem& files, const std::string& base, std::int64_t count) {
  std::vector<std::unique_ptr<File>> parts;
  std::vector<TensorInfo> tensors;
  Value metadata;
  for (std::int64_t number = 0; number < count; ++number) {
    const std::string path = base + split_suffix({number, count});
    if (!files.is_file(path)) fail(Status::not_found, "{}: no such file, but the model is a series of {}", path, count);
    parts.push_back(files.open(path));
    GgufHeader header = read_gguf_header(*parts.back(), std::uint32_t(number));
    const Split split = read_split(header.metadata, path);
    if (split.number != number || split.count != count) {
      fail(Status::corrupt_file, "{}: its metadata says part {} of {}, its name part {} of {}", path, split.number + 1,
           split.count, number + 1, count);
    }
    std::move(header.tensors.begin(), header.tensors.end(), std::back_inserter(tensors));
    if (number == 0) metadata = std::move(header.metadata);
  }
  check_tensor_count(metadata, tensors.size(), parts.front()->path());
  return {std::move(metadata), std::make_unique<TensorSource>(std::move(parts), std::move(tensors))};
}

}  // namespace

GgufFile open_gguf(FileSystem& files, const std::string& path) {
  std::vector<std::unique_ptr<File>> parts;
  parts.push_back(files.open(path));
  GgufHeader header = read_gguf_header(*parts.front(), 0);
  const Split split = read_split(header.metadata, path);
  if (split.count > 1) return open_series(files, split_base(path, split), split.count);
  return {std::move(header.metadata), std::make_unique<TensorSource>(std::move(parts), std::move(header.tensors))};
}

}  // namespace fathom::io
