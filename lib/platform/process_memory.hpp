// How much memory this process holds, for statistics.
#pragma once

#include <cstdint>

namespace fathom {

struct ProcessMemory {
  std::int64_t resident_bytes = 0;       // now, mapped file pages included
  std::int64_t peak_resident_bytes = 0;  // since the process began
};
ProcessMemory process_memory() noexcept;  // zeros where the system does not tell

}  // namespace fathom
