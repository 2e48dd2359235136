// Named tensors in one or several files: what they are called, what shape they have, where their bytes lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/allocator.hpp"
#include "base/file_system.hpp"
#include "base/storage_format.hpp"
#include "base/task_system.hpp"

namespace fathom::io {

struct TensorInfo {
  std::string name;
  StorageFormat format = StorageFormat::other;
  std::string type_name;            // as the file spells it: "BF16", "Q4_K", or "type 57" for a type without a name
  std::vector<std::int64_t> shape;  // outermost dimension first (GGUF's order reversed); empty for a scalar
  std::uint32_t part = 0;           // index of the file it lies in
  std::uint64_t offset = 0;         // of its first byte in that file
  std::uint64_t bytes = 0;

  std::int64_t values() const;  // product of the shape
};

// Immutable once its files are mapped or read; any thread then.
class TensorSource {
 public:
  // Takes the files (opened) and what their headers said. Throws on duplicate names.
  TensorSource(std::vector<std::unique_ptr<File>> parts, std::vector<TensorInfo> tensors);

  std::span<const TensorInfo> tensors() const noexcept { return tensors_; }
  const TensorInfo* find(std::string_view name) const noexcept;
  const File& part(std::uint32_t index) const { return *parts_[index]; }
  std::size_t parts() const noexcept { return parts_.size(); }
  std::uint64_t total_bytes() const noexcept;  // of all tensors

  // Reads the files that cannot be mapped, whole, into memory of their own, on all of the tasks where some are given.
  // `progress` (may be empty) is called in between, on this thread, with the share done; Error{cancelled} when it returns
  // false. Throws as File and Buffer do.
  void read_unmapped(Allocator& allocator, TaskSystem* tasks = nullptr, const std::function<bool(double done)>& progress = {});
  // Whether the part lies in memory, mapped or read.
  bool is_mapped(std::uint32_t part) const noexcept { return !maps_[part].empty(); }
  // The file where it is mapped or was read to.
  std::span<const std::byte> mapped(std::uint32_t part) const noexcept { return maps_[part]; }

  // Whether release() does anything for a part.
  bool can_release(std::uint32_t part) const noexcept { return parts_[part]->release(0, 0); }
  // Bytes of a mapped part that are not needed in memory for now.
  void release(std::span<const std::byte> bytes) const noexcept;

  // For each part, where the bytes of its map end that are still used once `moved` is copied elsewhere: the end of the last
  // tensor of two or more dimensions that is not within `moved`. Loading copies vectors and keeps no view of them. 0 for a part
  // of which nothing is used, or that was read.
  std::vector<std::uint64_t> mapped_ends(std::span<const std::span<const std::byte>> moved = {}) const;
  // Throws Error{io_error} when a file now ends before the byte that `ends` gives for its part: its map must not be read. Takes
  // one system call for each mapped part.
  void check_files(std::span<const std::uint64_t> ends) const;
  void check_files() const;  // the same for whole files

  // The tensor's bytes; they live as long as this object. Where the part is neither mapped nor read yet, this one tensor is
  // read. Throws Error{io_error}.
  std::span<const std::byte> bytes(const TensorInfo& tensor) const;
  // "model.safetensors: tensor 'lm_head.weight'", for error messages.
  std::string describe(const TensorInfo& tensor) const;

 private:
  std::vector<std::unique_ptr<File>> parts_;
  std::vector<std::span<const std::byte>> maps_;
  std::vector<std::uint8_t> was_read_;  // by part: its map is a buffer
  std::vector<Buffer> read_;            // what maps_ of files that cannot be mapped show
  struct Singles {
    std::mutex mutex;
    std::unordered_map<const TensorInfo*, Buffer> tensors;
  };
  std::unique_ptr<Singles> singles_ = std::make_unique<Singles>();  // tensors that were read by themselves
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

}  // namespace fathom::io
