// Paths in a checkpoint's folder, and its small text files.
#include "io/folder.hpp"

#include <span>

#include "base/error.hpp"

namespace fathom::io {

std::string join(std::string_view folder, std::string_view name) {
  return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", name);
}

std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string read_text(FileSystem& files, const std::string& path) {
  constexpr std::uint64_t kMaxBytes = 256u << 20;  // the largest tokenizer.json files have some 35 MB
  const std::unique_ptr<File> file = files.open(path);
  if (file->size() > kMaxBytes) {
    fail(Status::corrupt_file, "{}: {} bytes, but a file of its kind has {} at most", path, file->size(), kMaxBytes);
  }
  std::string text(file->size(), '\0');
  file->read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace fathom::io
