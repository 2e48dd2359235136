// Files of the operating system (POSIX): read at offsets, mapped read-only, listed. No other part of the library opens one.
#include "platform/os_file_system.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <system_error>

#include "base/error.hpp"
#include "platform/memory_policy.hpp"

namespace fathom {
namespace {

[[noreturn]] void fail_os(int error, const std::string& path, std::string_view what) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  fail(missing ? Status::not_found : Status::io_error, "{}: {}: {}", path, what, std::generic_category().message(error));
}

// For what is there and is no regular file.
[[noreturn]] void fail_kind(const std::string& path, mode_t mode) {
  const char* const kind = S_ISDIR(mode)    ? "a directory"
                           : S_ISFIFO(mode) ? "a pipe (FIFO)"
                           : S_ISCHR(mode)  ? "a character device"
                           : S_ISBLK(mode)  ? "a block device"
                           : S_ISSOCK(mode) ? "a socket"
                                            : "of another kind";
  fail(Status::io_error, "{}: it is {}, not a regular file", path, kind);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class OsFile final : public File {
 public:
  explicit OsFile(const std::string& path) : path_(path), descriptor_(open_regular(path)) {
    struct stat status{};
    if (::fstat(descriptor_.get(), &status) != 0) fail_os(errno, path_, "its size cannot be read");
    if (!S_ISREG(status.st_mode)) fail_kind(path_, status.st_mode);
    size_ = std::uint64_t(status.st_size);
  }
  ~OsFile() override {
    if (!map_.empty()) ::munmap(const_cast<std::byte*>(map_.data()), map_.size());
  }

  const std::string& path() const noexcept override { return path_; }
  std::uint64_t size() const noexcept override { return size_; }

  void read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset > size_ || out.size() > size_ - offset) {
      fail(Status::io_error, "{}: {} bytes at byte {} pass its end at {}", path_, out.size(), offset, size_);
    }
    while (!out.empty()) {
      const std::size_t chunk = std::min<std::size_t>(out.size(), 1u << 30);  // Linux reads no more than 2 GiB at once
      const ssize_t got = ::pread(descriptor_.get(), out.data(), chunk, off_t(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_os(errno, path_, fmt::format("cannot be read at byte {}", offset));
      if (got == 0) fail(Status::io_error, "{}: ends at byte {}; it had {} when it was opened", path_, offset, size_);
      offset += std::uint64_t(got);
      out = out.subspan(std::size_t(got));
    }
  }

  std::span<const std::byte> map() override {
    if (map_.empty() && size_ > 0 && size_ <= std::numeric_limits<std::size_t>::max()) {
      void* const memory = ::mmap(nullptr, std::size_t(size_), PROT_READ, MAP_SHARED, descriptor_.get(), 0);
      if (memory != MAP_FAILED) map_ = {static_cast<const std::byte*>(memory), std::size_t(size_)};
      prefer_large_pages(map_);
    }
    return map_;
  }

  std::uint64_t size_now() noexcept override {
    struct stat status{};
    return ::fstat(descriptor_.get(), &status) == 0 ? std::uint64_t(status.st_size) : size_;
  }

  bool release(std::uint64_t offset, std::uint64_t bytes) noexcept override {
    if (offset > map_.size() || bytes > map_.size() - offset) return false;
    return !map_.empty() && release_file_pages(map_.subspan(std::size_t(offset), std::size_t(bytes)));
  }

 private:
  // Looks before it opens: opening a device may do something to it. Not blocking, because meanwhile the path may have become a
  // pipe that nobody writes to.
  static int open_regular(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) fail_kind(path, status.st_mode);
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) fail_os(errno, path, "cannot be opened");
    return descriptor;
  }

  std::string path_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
  std::span<const std::byte> map_;
};

class OsFileSystem final : public FileSystem {
 public:
  std::unique_ptr<File> open(const std::string& path) override {
    // The system would stop at the zero and open another file.
    if (path.find('\0') != path.npos) fail(Status::not_found, "{}: a zero byte in the path", path.c_str());
    return std::make_unique<OsFile>(path);
  }
  bool is_directory(const std::string& path) override {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
  }
  bool is_file(const std::string& path) override {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return false;
      fail_os(errno, path, "cannot be looked at");
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) fail_kind(path, status.st_mode);
    return S_ISREG(status.st_mode);
  }
  std::vector<std::string> list(const std::string& directory) override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry(directory, error);
    while (!error && entry != std::filesystem::directory_iterator()) {
      names.push_back(entry->path().filename().string());
      entry.increment(error);
    }
    if (error) fail_os(error.value(), directory, "cannot be listed");
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace

FileSystem& os_file_system() noexcept {
  static OsFileSystem files;
  return files;
}

}  // namespace fathom
