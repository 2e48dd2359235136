// fathom_file_system as a fathom::FileSystem
#include "host.hpp"

namespace capi {
namespace {

// Calls the host; an exception becomes callback_failed.
template <typename Call>
int32_t call(Call&& hook) noexcept {
  try {
    return hook();
  } catch (...) {
    return FATHOM_CALLBACK_FAILED;
  }
}

// Statuses keep their meaning where they have one for files.
[[noreturn]] void refuse(int32_t status, const std::string& what) {
  switch (status) {
    case FATHOM_NOT_FOUND:
      fail(status, what + ": the host's file system has no such file");
    case FATHOM_IO_ERROR:
    case FATHOM_CORRUPT_FILE:
    case FATHOM_UNSUPPORTED:
    case FATHOM_OUT_OF_MEMORY:
    case FATHOM_CANCELLED:
      fail(status, what + ": the host's file system says " + fathom_status_name(status));
    default:
      fail(FATHOM_CALLBACK_FAILED, what + ": the host's file system failed with " + std::to_string(status));
  }
}

class HostFile final : public fathom::File {
 public:
  HostFile(const fathom_file_system& hook, std::string path) : hook_(hook), path_(std::move(path)) {
    if (const int32_t status = open(); status != FATHOM_OK) refuse(status, path_);
    const int32_t status = call([&] { return hook_.size(hook_.user, file_, &size_); });
    if (status == FATHOM_OK) return;
    close();
    refuse(status, path_ + ": asking for its size");
  }
  ~HostFile() override {
    if (mapped_ != nullptr) {
      call([&] {
        hook_.unmap(hook_.user, file_, mapped_);
        return FATHOM_OK;
      });
    }
    close();
  }
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;

  const std::string& path() const noexcept override { return path_; }
  std::uint64_t size() const noexcept override { return size_; }

  void read_at(std::uint64_t offset, std::span<std::byte> out) override {
    const std::string what = path_ + ": reading " + std::to_string(out.size()) + " bytes at " + std::to_string(offset);
    if (offset > size_ || out.size() > size_ - offset) {
      fail(FATHOM_IO_ERROR, what + " passes the end at " + std::to_string(size_));
    }
    const int32_t status = call([&] { return hook_.read_at(hook_.user, file_, offset, out.data(), out.size()); });
    if (status != FATHOM_OK) refuse(status, what);
  }

  std::span<const std::byte> map() override {
    if (hook_.map == nullptr || size_ == 0) return {};
    if (mapped_ == nullptr) {
      const void* data = nullptr;
      const int32_t status = call([&] { return hook_.map(hook_.user, file_, &data); });
      if (status == FATHOM_UNSUPPORTED || (status == FATHOM_OK && data == nullptr)) return {};
      if (status != FATHOM_OK) refuse(status, path_ + ": mapping it");
      mapped_ = data;
    }
    return {static_cast<const std::byte*>(mapped_), std::size_t(size_)};
  }

 private:
  int32_t open() {
    return call([&] { return hook_.open(hook_.user, path_.data(), path_.size(), &file_); });
  }
  void close() noexcept {
    call([&] {
      hook_.close(hook_.user, file_);
      return FATHOM_OK;
    });
  }

  const fathom_file_system hook_;
  const std::string path_;
  void* file_ = nullptr;
  std::uint64_t size_ = 0;
  const void* mapped_ = nullptr;
};

class HostFiles final : public fathom::FileSystem {
 public:
  explicit HostFiles(const fathom_file_system& hook) : hook_(hook) {}

  std::unique_ptr<fathom::File> open(const std::string& path) override { return std::make_unique<HostFile>(hook_, path); }

  bool is_directory(const std::string& path) override {
    return !is_file(path) && (is_file(path + "/config.json") || is_file(path + "/tokenizer.json"));
  }

  bool is_file(const std::string& path) override {
    void* file = nullptr;
    const int32_t status = call([&] { return hook_.open(hook_.user, path.data(), path.size(), &file); });
    if (status == FATHOM_NOT_FOUND) return false;
    if (status != FATHOM_OK) refuse(status, path);
    call([&] {
      hook_.close(hook_.user, file);
      return FATHOM_OK;
    });
    return true;
  }

  // The host has no listing; what is looked for is looked for by name.
  std::vector<std::string> list(const std::string&) override { return {}; }

 private:
  const fathom_file_system hook_;
};

}  // namespace

std::unique_ptr<fathom::FileSystem> adapt(const fathom_file_system& hook) {
  require(hook.open != nullptr && hook.size != nullptr && hook.read_at != nullptr && hook.close != nullptr,
          "fathom_file_system needs open, size, read_at and close");
  require((hook.map == nullptr) == (hook.unmap == nullptr), "fathom_file_system has only one of map and unmap");
  return std::make_unique<HostFiles>(hook);
}

}  // namespace capi
