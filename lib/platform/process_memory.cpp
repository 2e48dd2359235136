// Reads VmRSS and VmHWM from /proc/self/status, without allocating: statistics may be asked for at any moment.
#include "platform/process_memory.hpp"

#include <charconv>
#include <string_view>

#if defined(__linux__)
#include <fcntl.h>
#include <unistd.h>
#endif

namespace fathom {
namespace {

// The number after "<field>:" in bytes; the kernel states kibibytes. 0 when the field is not there.
std::int64_t field_bytes(std::string_view status, std::string_view field) noexcept {
  const std::size_t found = status.find(field);
  if (found == std::string_view::npos) return 0;
  const std::size_t digits = status.find_first_of("0123456789", found + field.size());
  if (digits == std::string_view::npos) return 0;
  std::int64_t kib = 0;
  std::from_chars(status.data() + digits, status.data() + status.size(), kib);
  return kib * 1024;
}

}  // namespace

ProcessMemory process_memory() noexcept {
#if defined(__linux__)
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[4096];  // the two fields lie in the first kilobyte; longer affinity masks at the end may be cut off
  const ssize_t length = ::read(file, text, sizeof text);
  ::close(file);
  if (length <= 0) return {};
  const std::string_view status(text, std::size_t(length));
  return {field_bytes(status, "\nVmRSS:"), field_bytes(status, "\nVmHWM:")};
#else
  return {};
#endif
}

}  // namespace fathom
