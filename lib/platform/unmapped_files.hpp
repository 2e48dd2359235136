// Files that are read and never mapped.
#pragma once

#include "base/file_system.hpp"

namespace fathom {

// Another file system, which must outlive this one, with maps taken away: map() of every file is empty. Files may outlive both.
class UnmappedFiles final : public FileSystem {
 public:
  explicit UnmappedFiles(FileSystem& files) : files_(files) {}

  std::unique_ptr<File> open(const std::string& path) override;
  bool is_directory(const std::string& path) override { return files_.is_directory(path); }
  bool is_file(const std::string& path) override { return files_.is_file(path); }
  std::vector<std::string> list(const std::string& directory) override { return files_.list(directory); }

 private:
  FileSystem& files_;
};

}  // namespace fathom
