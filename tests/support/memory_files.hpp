// A file system in memory, for tests: paths to contents, with switches for what a host's file system may do to us.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file_system.hpp"

namespace fathom::test {

// How the files behave; shared by the file system and every file it opened.
struct MemoryFilePolicy {
  bool mappable = true;                   // false: map() returns an empty span
  bool releasable = false;                // true: release() says that it gives pages back, as mapped files of the system do
  std::uint64_t released = 0;             // bytes that were given back
  std::optional<std::uint64_t> size_now;  // what every file says of its length once it is open
  int reads_until_fault = -1;             // counts down; the read that finds 0 throws io_error. Negative: never
};

class MemoryFile final : public File {
 public:
  MemoryFile(std::string path, std::shared_ptr<const std::string> content, std::shared_ptr<MemoryFilePolicy> policy)
      : path_(std::move(path)), content_(std::move(content)), policy_(std::move(policy)) {}

  const std::string& path() const noexcept override { return path_; }
  std::uint64_t size() const noexcept override { return content_->size(); }

  void read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (policy_->reads_until_fault == 0) fail(Status::io_error, "{}: the test lets this read fail", path_);
    if (policy_->reads_until_fault > 0) --policy_->reads_until_fault;
    if (offset > content_->size() || out.size() > content_->size() - offset) {
      fail(Status::io_error, "{}: {} bytes at {} pass the end at {}", path_, out.size(), offset, content_->size());
    }
    if (!out.empty()) std::memcpy(out.data(), content_->data() + offset, out.size());
  }

  std::span<const std::byte> map() override {
    if (!policy_->mappable) return {};
    return {reinterpret_cast<const std::byte*>(content_->data()), content_->size()};
  }

  std::uint64_t size_now() noexcept override { return policy_->size_now.value_or(size()); }

  bool release(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (!policy_->releasable || offset > content_->size() || bytes > content_->size() - offset) return false;
    std::atomic_ref(policy_->released) += bytes;  // from any worker
    return true;
  }

 private:
  std::string path_;
  std::shared_ptr<const std::string> content_;
  std::shared_ptr<MemoryFilePolicy> policy_;
};

// Directories exist by the files below them. Files that are open keep their content when it is replaced or removed here.
class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFilePolicy& policy() { return *policy_; }

  void put(const std::string& path, std::string content) {
    contents_[path] = std::make_shared<const std::string>(std::move(content));
  }
  void remove(const std::string& path) { contents_.erase(path); }
  const std::string& content(const std::string& path) const { return *contents_.at(path); }

  std::unique_ptr<File> open(const std::string& path) override {
    const auto found = contents_.find(path);
    if (found == contents_.end()) fail(Status::not_found, "{}: no such file", path);
    return std::make_unique<MemoryFile>(path, found->second, policy_);
  }
  bool is_file(const std::string& path) override { return contents_.count(path) > 0; }
  bool is_directory(const std::string& path) override { return !list(path).empty(); }

  std::vector<std::string> list(const std::string& directory) override {
    const std::string prefix = directory.ends_with('/') ? directory : directory + "/";
    std::vector<std::string> names;
    for (const auto& [path, content] : contents_) {
      if (!path.starts_with(prefix)) continue;
      names.push_back(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

 private:
  std::map<std::string, std::shared_ptr<const std::string>> contents_;
  std::shared_ptr<MemoryFilePolicy> policy_ = std::make_shared<MemoryFilePolicy>();
};

}  // namespace fathom::test
