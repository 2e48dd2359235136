#include "platform/unmapped_files.hpp"

#include <utility>

namespace fathom {
namespace {

class UnmappedFile final : public File {
 public:
  explicit UnmappedFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  const std::string& path() const noexcept override { return file_->path(); }
  std::uint64_t size() const noexcept override { return file_->size(); }
  void read_at(std::uint64_t offset, std::span<std::byte> out) override { file_->read_at(offset, out); }
  std::span<const std::byte> map() override { return {}; }
  std::uint64_t size_now() noexcept override { return file_->size_now(); }

 private:
  std::unique_ptr<File> file_;
};

}  // namespace

std::unique_ptr<File> UnmappedFiles::open(const std::string& path) { return std::make_unique<UnmappedFile>(files_.open(path)); }

}  // namespace fathom
