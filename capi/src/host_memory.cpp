// fathom_allocator as a fathom::Allocator
#include "host.hpp"

namespace capi {
namespace {

class HostAllocator final : public fathom::Allocator {
 public:
  explicit HostAllocator(const fathom_allocator& hook) : hook_(hook) {}

  void* allocate(std::size_t bytes, std::size_t alignment, fathom::MemoryPurpose purpose) noexcept override {
    void* memory = nullptr;
    try {
      memory = hook_.allocate(hook_.user, bytes, alignment, static_cast<int32_t>(purpose));
    } catch (...) {
      return nullptr;
    }
    // aligned loads would end the process
    if (reinterpret_cast<std::uintptr_t>(memory) % alignment != 0) {
      release(memory, bytes, alignment, purpose);
      return nullptr;
    }
    return memory;
  }

  void release(void* memory, std::size_t bytes, std::size_t alignment, fathom::MemoryPurpose purpose) noexcept override {
    try {
      hook_.release(hook_.user, memory, bytes, alignment, static_cast<int32_t>(purpose));
    } catch (...) {  // there is nobody to tell, and nothing to undo
    }
  }

 private:
  const fathom_allocator hook_;
};

}  // namespace

std::unique_ptr<fathom::Allocator> adapt(const fathom_allocator& hook) {
  require(hook.allocate != nullptr && hook.release != nullptr, "fathom_allocator needs both allocate and release");
  return std::make_unique<HostAllocator>(hook);
}

}  // namespace capi
