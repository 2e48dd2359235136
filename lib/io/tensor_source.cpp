// The tensors of a checkpoint over its files: names to places, places to mapped bytes.
#include "io/tensor_source.hpp"

#include <algorithm>

#include "base/checked.hpp"
#include "base/error.hpp"

namespace fathom::io {
namespace {

constexpr std::size_t kReadBytes = std::size_t{16} << 20;  // at once

}  // namespace

std::int64_t TensorInfo::values() const {
  // The readers have shown that it fits; unsigned, because a zero may come only after dimensions that overflow int64.
  std::uint64_t product = 1;
  for (const std::int64_t dim : shape) product *= std::uint64_t(dim);
  return std::int64_t(product);
}

TensorSource::TensorSource(std::vector<std::unique_ptr<File>> parts, std::vector<TensorInfo> tensors)
    : parts_(std::move(parts)), tensors_(std::move(tensors)) {
  index_.reserve(tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const TensorInfo& tensor = tensors_[i];
    if (tensor.part >= parts_.size())
      fail(Status::internal, "tensor '{}' lies in part {} of {}", tensor.name, tensor.part, parts_.size());
    const std::uint64_t size = parts_[tensor.part]->size();
    if (checked_add(tensor.offset, tensor.bytes, describe(tensor)) > size) {
      fail(Status::corrupt_file, "{}: its {} bytes at {} pass the end of the file at {}", describe(tensor), tensor.bytes,
           tensor.offset, size);
    }
    const auto [other, unique] = index_.emplace(tensor.name, i);
    if (!unique) {
      fail(Status::corrupt_file, "{}: the name appears twice, first in {}", describe(tensor),
           parts_[tensors_[other->second].part]->path());
    }
  }
  maps_.reserve(parts_.size());
  for (const auto& part : parts_) maps_.push_back(part->map());
}

void TensorSource::read_unmapped(Allocator& allocator) {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!maps_[i].empty() || parts_[i]->size() == 0) continue;
    Buffer bytes(allocator, std::size_t(parts_[i]->size()), MemoryPurpose::weights);
    for (std::size_t at = 0; at < bytes.bytes();) {
      const std::size_t count = std::min(kReadBytes, bytes.bytes() - at);
      parts_[i]->read_at(at, {bytes.data() + at, count});
      at += count;
    }
    maps_[i] = {bytes.data(), bytes.bytes()};
    read_.push_back(std::move(bytes));
  }
}

const TensorInfo* TensorSource::find(std::string_view name) const noexcept {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

std::uint64_t TensorSource::total_bytes() const noexcept {
  std::uint64_t total = 0;
  for (const TensorInfo& tensor : tensors_) total += tensor.bytes;
  return total;
}

std::span<const std::byte> TensorSource::bytes(const TensorInfo& tensor) const {
  if (tensor.bytes == 0) return {};
  const std::span<const std::byte> map = maps_[tensor.part];
  // A host's map may be absent, or shorter than the size it told.
  if (map.size() < tensor.offset + tensor.bytes) fail(Status::io_error, "{}: the file cannot be mapped", describe(tensor));
  return map.subspan(tensor.offset, tensor.bytes);
}

void TensorSource::release(std::span<const std::byte> bytes) const noexcept {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto first = reinterpret_cast<std::uintptr_t>(maps_[i].data()), at = reinterpret_cast<std::uintptr_t>(bytes.data());
    if (at < first || at - first >= maps_[i].size()) continue;
    parts_[i]->release(at - first, bytes.size());
    return;
  }
}

std::string TensorSource::describe(const TensorInfo& tensor) const {
  return fmt::format("{}: tensor '{}'", parts_[tensor.part]->path(), tensor.name);
}

}  // namespace fathom::io
