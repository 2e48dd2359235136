// The tensors of a checkpoint over its files: names to places, places to bytes that are mapped or read.
#include "io/tensor_source.hpp"

#include <algorithm>
#include <atomic>
#include <exception>

#include "base/checked.hpp"
#include "base/error.hpp"

namespace fathom::io {
namespace {

constexpr std::size_t kReadBytes = std::size_t{16} << 20;  // at once
constexpr std::size_t kReadsPerWorker = 4;                 // between two reports of progress

// A piece of a file and where it goes.
struct Read {
  File* file;
  std::uint64_t offset;
  std::span<std::byte> out;
};

// Reads [first, last) on all tasks. Throws what the first read threw that failed.
void read_pieces(std::span<const Read> reads, TaskSystem* tasks) {
  if (!tasks) {
    for (const Read& read : reads) read.file->read_at(read.offset, read.out);
    return;
  }
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  auto body = [&](int) noexcept {
    for (std::size_t i; !failed && (i = next.fetch_add(1)) < reads.size();) {
      try {
        reads[i].file->read_at(reads[i].offset, reads[i].out);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
  };
  run_tasks(*tasks, int(std::min(reads.size(), std::size_t(tasks->concurrency()))), body);
  if (failure) std::rethrow_exception(failure);
}

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
  was_read_.resize(parts_.size(), false);
  maps_.reserve(parts_.size());
  for (const auto& part : parts_) maps_.push_back(part->map());
}

void TensorSource::read_unmapped(Allocator& allocator, TaskSystem* tasks, const std::function<bool(double done)>& progress) {
  std::vector<Read> reads;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (!maps_[i].empty() || parts_[i]->size() == 0) continue;
    const Buffer& bytes = read_.emplace_back(allocator, std::size_t(parts_[i]->size()), MemoryPurpose::weights);
    for (std::size_t at = 0; at < bytes.bytes(); at += kReadBytes) {
      reads.push_back({parts_[i].get(), at, {bytes.data() + at, std::min(kReadBytes, bytes.bytes() - at)}});
    }
    maps_[i] = {bytes.data(), bytes.bytes()};
    was_read_[i] = true;
  }
  const std::size_t step = kReadsPerWorker * std::size_t(tasks ? tasks->concurrency() : 1);
  for (std::size_t first = 0; first < reads.size(); first += step) {
    if (progress && !progress(double(first) / double(reads.size()))) {
      fail(Status::cancelled, "{}: loading was cancelled while it was read", reads[first].file->path());
    }
    read_pieces(std::span(reads).subspan(first, std::min(step, reads.size() - first)), tasks);
  }
}

std::vector<std::uint64_t> TensorSource::mapped_ends(std::span<const std::span<const std::byte>> moved) const {
  std::vector<std::span<const std::byte>> ranges(moved.begin(), moved.end());
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.data() < b.data(); });
  // Ranges that lie side by side, as the experts of one tensor may, cover it together.
  const auto is_moved = [&](std::span<const std::byte> tensor) {
    const std::byte* at = tensor.data();
    const std::byte* const end = at + tensor.size();
    auto range = std::upper_bound(ranges.begin(), ranges.end(), at, [](auto p, const auto& r) { return p < r.data(); });
    if (range != ranges.begin()) --range;
    for (; at < end && range != ranges.end() && range->data() <= at; ++range) at = std::max(at, range->data() + range->size());
    return at >= end;
  };
  std::vector<std::uint64_t> ends(parts_.size(), 0);
  for (const TensorInfo& tensor : tensors_) {
    const std::span<const std::byte> map = maps_[tensor.part];
    if (was_read_[tensor.part] || tensor.shape.size() < 2 || map.size() < tensor.offset + tensor.bytes) continue;
    if (is_moved(map.subspan(tensor.offset, tensor.bytes))) continue;
    ends[tensor.part] = std::max(ends[tensor.part], tensor.offset + tensor.bytes);
  }
  return ends;
}

void TensorSource::check_files(std::span<const std::uint64_t> ends) const {
  for (std::size_t i = 0; i < std::min(parts_.size(), ends.size()); ++i) {
    if (ends[i] == 0 || was_read_[i]) continue;
    const std::uint64_t now = parts_[i]->size_now();
    if (now >= ends[i]) continue;
    fail(
        Status::io_error,
        "{}: the file has {} bytes and had {} when the model was opened; weights are mapped up to byte {}. Replace model files "
        "by renaming, or open the model with the option 'read'",
        parts_[i]->path(), now, parts_[i]->size(), ends[i]);
  }
}

void TensorSource::check_files() const {
  std::vector<std::uint64_t> ends;
  for (std::size_t i = 0; i < parts_.size(); ++i) ends.push_back(maps_[i].empty() ? 0 : parts_[i]->size());
  check_files(ends);
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
  if (map.empty()) {
    const std::lock_guard lock(singles_->mutex);
    Buffer& single = singles_->tensors[&tensor];
    if (single.bytes() == 0) {
      Buffer bytes(heap_allocator(), std::size_t(tensor.bytes), MemoryPurpose::weights);
      parts_[tensor.part]->read_at(tensor.offset, {bytes.data(), bytes.bytes()});
      single = std::move(bytes);
    }
    return {single.data(), single.bytes()};
  }
  // A host's map may be shorter than the size it told.
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
