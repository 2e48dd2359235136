#include "platform/memory_files.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace fathom {
namespace {

constexpr std::string_view kFolder = "(memory)/";

class BytesFile final : public File {
 public:
  BytesFile(std::string path, std::span<const std::byte> bytes) : path_(std::move(path)), bytes_(bytes) {}

  const std::string& path() const noexcept override { return path_; }
  std::uint64_t size() const noexcept override { return bytes_.size(); }
  void read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      fail(Status::io_error, "{}: {} bytes at {} pass the end at {}", path_, out.size(), offset, bytes_.size());
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }
  std::span<const std::byte> map() override { return bytes_; }

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

bool is_gguf(const MemoryFile& file) {
  return file.name.ends_with(".gguf") || (file.bytes.size() >= 4 && std::memcmp(file.bytes.data(), "GGUF", 4) == 0);
}

}  // namespace

MemoryFiles::MemoryFiles(std::span<const MemoryFile> files) : files_(files.begin(), files.end()) {
  std::sort(files_.begin(), files_.end(), [](const MemoryFile& a, const MemoryFile& b) { return a.name < b.name; });
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const std::string& name = files_[i].name;
    if (name.empty() || name.find('/') != name.npos)
      fail(Status::invalid_argument, "'{}' is no plain name for a file in memory", name);
    if (i > 0 && files_[i - 1].name == name) fail(Status::invalid_argument, "two files in memory are named '{}'", name);
  }
}

std::string MemoryFiles::checkpoint_path() const {
  if (files_.empty()) fail(Status::invalid_argument, "there are no files to open a model from");
  const auto gguf = std::find_if(files_.begin(), files_.end(), is_gguf);
  return gguf == files_.end() ? std::string(kFolder.substr(0, kFolder.size() - 1)) : std::string(kFolder) + gguf->name;
}

const MemoryFile* MemoryFiles::find(const std::string& path) const noexcept {
  if (!path.starts_with(kFolder)) return nullptr;
  const std::string_view name = std::string_view(path).substr(kFolder.size());
  const auto found = std::find_if(files_.begin(), files_.end(), [&](const MemoryFile& file) { return file.name == name; });
  return found == files_.end() ? nullptr : &*found;
}

std::unique_ptr<File> MemoryFiles::open(const std::string& path) {
  const MemoryFile* file = find(path);
  if (!file) fail(Status::not_found, "{}: no such file in memory", path);
  return std::make_unique<BytesFile>(path, file->bytes);
}
bool MemoryFiles::is_directory(const std::string& path) { return path + "/" == kFolder; }
bool MemoryFiles::is_file(const std::string& path) { return find(path) != nullptr; }
std::vector<std::string> MemoryFiles::list(const std::string& directory) {
  std::vector<std::string> names;
  if (is_directory(directory)) {
    for (const MemoryFile& file : files_) names.push_back(file.name);
  }
  return names;
}

}  // namespace fathom
