// Files that lie in memory, as a file system of one folder.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.hpp"

namespace fathom {

class MemoryFiles final : public FileSystem {
 public:
  // The bytes stay where they are and must outlive every opened File. Throws Error{invalid_argument} for a name that is empty,
  // has a slash, or comes twice.
  explicit MemoryFiles(std::span<const MemoryFile> files);

  // What to open: the GGUF file, of a series the first, or the folder. Throws Error{invalid_argument} when there are no files.
  std::string checkpoint_path() const;

  std::unique_ptr<File> open(const std::string& path) override;
  bool is_directory(const std::string& path) override;
  bool is_file(const std::string& path) override;
  std::vector<std::string> list(const std::string& directory) override;

 private:
  const MemoryFile* find(const std::string& path) const noexcept;

  std::vector<MemoryFile> files_;
};

}  // namespace fathom
