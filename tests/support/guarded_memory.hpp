// Memory that ends where its page ends, before a page that nobody may touch: what reads or writes one byte beyond it ends the
// test. Unlike a sanitizer this needs no instrumentation of the code that is tested. What is written before it is found when it
// is released; AddressSanitizer finds what is read there too.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "support/sanitizers.hpp"
#ifdef FATHOM_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace fathom::test {

class GuardedMemory {
 public:
  // Zeros. The end is at a page's end, so the beginning is as aligned as the size is.
  explicit GuardedMemory(std::size_t bytes) {
    const std::size_t page = std::size_t(sysconf(_SC_PAGESIZE));
    const std::size_t used = (bytes + page - 1) / page * page;
    mapped_ = used + page;
    void* const at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(static_cast<std::byte*>(at) + used, page, PROT_NONE) != 0) throw std::bad_alloc();
    begin_ = static_cast<std::byte*>(at);
    front_ = used - bytes;
#ifdef FATHOM_ADDRESS_SANITIZER
    ASAN_POISON_MEMORY_REGION(begin_, front_);
#endif
  }
  GuardedMemory(GuardedMemory&& other) noexcept { swap(other); }
  GuardedMemory& operator=(GuardedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~GuardedMemory() {
    if (!begin_) return;
#ifdef FATHOM_ADDRESS_SANITIZER
    ASAN_UNPOISON_MEMORY_REGION(begin_, front_);
#endif
    bool untouched = true;
    for (std::size_t i = 0; i < front_; ++i) untouched &= begin_[i] == std::byte{0};
    if (!untouched) {
      std::fputs("something was written before the memory\n", stderr);
      std::abort();
    }
    munmap(begin_, mapped_);
  }

  void* data() const { return begin_ + front_; }

 private:
  void swap(GuardedMemory& other) noexcept {
    std::swap(begin_, other.begin_);
    std::swap(mapped_, other.mapped_);
    std::swap(front_, other.front_);
  }

  std::byte* begin_ = nullptr;
  std::size_t mapped_ = 0, front_ = 0;  // front_: bytes from begin_ to the memory itself
};

}  // namespace fathom::test
