#include "platform/memory_policy.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "platform/container_limits.hpp"

namespace fathom {
namespace {

#if defined(__linux__)
constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ of Linux 5.14, which older C libraries do not name
#endif

// The whole pages around a range: advice is given on pages.
struct Pages {
  explicit Pages(std::span<const std::byte> range) {
    const auto size = std::uintptr_t(::sysconf(_SC_PAGESIZE)), first = reinterpret_cast<std::uintptr_t>(range.data());
    begin = first / size * size;
    bytes = first + range.size() - begin;
  }
  void* data() const { return reinterpret_cast<void*>(begin); }

  std::uintptr_t begin;
  std::size_t bytes;
};

[[maybe_unused]] bool advise(std::span<const std::byte> range, int advice) {
  if (range.empty()) return true;
  const Pages pages(range);
  return ::madvise(pages.data(), pages.bytes, advice) == 0;
}

}  // namespace

void prefer_large_pages([[maybe_unused]] std::span<const std::byte> mapped) noexcept {
#if defined(MADV_HUGEPAGE)
  advise(mapped, MADV_HUGEPAGE);
#endif
}

void read_ahead([[maybe_unused]] std::span<const std::byte> mapped) noexcept {
#if defined(MADV_WILLNEED)
  advise(mapped, MADV_WILLNEED);
#endif
}

bool bring_in([[maybe_unused]] std::span<const std::byte> mapped) noexcept {
#if defined(__linux__)
  return advise(mapped, kPopulateRead);
#else
  return false;
#endif
}

bool release_file_pages([[maybe_unused]] std::span<const std::byte> mapped) noexcept {
#if defined(__linux__)
  const auto size = std::uintptr_t(::sysconf(_SC_PAGESIZE)), begin = reinterpret_cast<std::uintptr_t>(mapped.data());
  const std::uintptr_t first = (begin + size - 1) / size * size, last = (begin + mapped.size()) / size * size;
  return last <= first || ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED) == 0;
#else
  return false;
#endif
}

std::int64_t physical_memory_bytes() noexcept {
#if defined(_SC_PHYS_PAGES)
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  if (pages <= 0) return 0;
  const std::int64_t machine = std::int64_t{pages} * ::sysconf(_SC_PAGESIZE);
  return std::clamp<std::int64_t>(container_limits().memory_bytes.value_or(machine), 1, machine);
#else
  return 0;
#endif
}

}  // namespace fathom
