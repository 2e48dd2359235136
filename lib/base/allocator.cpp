#include "base/allocator.hpp"

#include <cstdlib>

#include "base/error.hpp"

namespace fathom {
namespace {

class HeapAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose) noexcept override {
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    if (rounded < bytes) return nullptr;
    return std::aligned_alloc(alignment, rounded ? rounded : alignment);
  }
  void release(void* memory, std::size_t, std::size_t, MemoryPurpose) noexcept override { std::free(memory); }
};

const char* purpose_name(MemoryPurpose purpose) {
  switch (purpose) {
    case MemoryPurpose::weights:
      return "weights";
    case MemoryPurpose::cache:
      return "the cache";
    case MemoryPurpose::scratch:
      return "scratch";
    case MemoryPurpose::other:
      break;
  }
  return "bookkeeping";
}

}  // namespace

Allocator& heap_allocator() noexcept {
  static HeapAllocator allocator;
  return allocator;
}

Buffer::Buffer(Allocator& allocator, std::size_t bytes, MemoryPurpose purpose)
    : allocator_(&allocator), bytes_(bytes), purpose_(purpose) {
  if (bytes == 0) return;
  data_ = static_cast<std::byte*>(allocator.allocate(bytes, kAlignment, purpose));
  if (!data_) fail(Status::out_of_memory, "no memory for {} bytes of {}", bytes, purpose_name(purpose));
}

Buffer::~Buffer() {
  if (data_) allocator_->release(data_, bytes_, kAlignment, purpose_);
}

}  // namespace fathom
