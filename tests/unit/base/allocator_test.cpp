#include "base/allocator.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>

#include "support/check_error.hpp"

using namespace fathom;
using fathom::test::check_error;

namespace {

// Remembers what is outstanding; refuses everything from `refuse_from` bytes on.
class RecordingAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    if (bytes >= refuse_from) return nullptr;
    outstanding += bytes;
    last_alignment = alignment;
    last_purpose = purpose;
    return heap_allocator().allocate(bytes, alignment, purpose);
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    outstanding -= bytes;
    CHECK(alignment == last_alignment);
    CHECK(purpose == last_purpose);
    heap_allocator().release(memory, bytes, alignment, purpose);
  }

  std::size_t refuse_from = SIZE_MAX;
  std::size_t outstanding = 0;
  std::size_t last_alignment = 0;
  MemoryPurpose last_purpose = MemoryPurpose::other;
};

}  // namespace

TEST_CASE("a buffer is aligned to 64 bytes, whatever its size") {
  for (const std::size_t bytes : {1, 63, 64, 65, 100000}) {
    const Buffer buffer(heap_allocator(), bytes, MemoryPurpose::scratch);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64 == 0);
    CHECK(buffer.bytes() == bytes);
    buffer.as<unsigned char>()[bytes - 1] = 1;
  }
}

TEST_CASE("a buffer gives back what it took, with the same size, alignment and purpose") {
  RecordingAllocator allocator;
  {
    const Buffer first(allocator, 100, MemoryPurpose::cache);
    CHECK(allocator.outstanding == 100);
    CHECK(allocator.last_alignment == Buffer::kAlignment);
    CHECK(allocator.last_purpose == MemoryPurpose::cache);
  }
  CHECK(allocator.outstanding == 0);
}

TEST_CASE("a refused request throws with its size and purpose, and holds nothing") {
  RecordingAllocator allocator;
  allocator.refuse_from = 1000;
  check_error(Status::out_of_memory, {"1000 bytes", "weights"}, [&] { Buffer(allocator, 1000, MemoryPurpose::weights); });
  check_error(Status::out_of_memory, {"5000 bytes", "cache"}, [&] { Buffer(allocator, 5000, MemoryPurpose::cache); });
  check_error(Status::out_of_memory, {"scratch"}, [&] { Buffer(allocator, 5000, MemoryPurpose::scratch); });
  check_error(Status::out_of_memory, {"bookkeeping"}, [&] { Buffer(allocator, 5000, MemoryPurpose::other); });
  CHECK(allocator.outstanding == 0);
}

TEST_CASE("the heap refuses sizes that do not exist instead of wrapping around") {
  check_error(Status::out_of_memory, {"18446744073709551615"},
              [] { Buffer(heap_allocator(), SIZE_MAX, MemoryPurpose::other); });
}

TEST_CASE("an empty buffer asks for nothing") {
  RecordingAllocator allocator;
  allocator.refuse_from = 0;
  const Buffer empty(allocator, 0, MemoryPurpose::scratch);
  CHECK_FALSE(empty);
  CHECK(empty.bytes() == 0);
}

TEST_CASE("moving a buffer moves the block, and overwriting one releases what it held") {
  RecordingAllocator allocator;
  Buffer first(allocator, 10, MemoryPurpose::other);
  std::byte* const block = first.data();
  Buffer second(std::move(first));
  CHECK_FALSE(first);
  CHECK(second.data() == block);
  Buffer third(allocator, 20, MemoryPurpose::other);
  third = std::move(second);
  CHECK(third.data() == block);
  CHECK(allocator.outstanding == 10);
}
