// Where memory comes from. The host may bring its own allocator; what the memory is for travels with each request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "fathom/host.hpp"

namespace fathom {

// The process heap. Large blocks come zeroed and untouched from the system, so that memory is used as it is written.
Allocator& heap_allocator() noexcept;

// An owned, uninitialised, 64-byte aligned block. Move only.
class Buffer {
 public:
  Buffer() = default;
  // Throws Error{out_of_memory} naming the purpose and the size.
  Buffer(Allocator& allocator, std::size_t bytes, MemoryPurpose purpose);
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Buffer();

  static constexpr std::size_t kAlignment = 64;

  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  template <typename T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(data_);
  }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(purpose_, other.purpose_);
  }

  Allocator* allocator_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  MemoryPurpose purpose_ = MemoryPurpose::other;
};

}  // namespace fathom
