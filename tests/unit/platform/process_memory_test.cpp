#include "platform/process_memory.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace fathom;

TEST_CASE("memory that is written shows in the resident size, and stays in the peak when freed") {
  constexpr std::int64_t kBytes = 64 << 20;
  const ProcessMemory before = process_memory();
  CHECK(before.resident_bytes > 0);
  // The kernel counts in batches, a few dozen pages a thread: allow a mebibyte everywhere.
  constexpr std::int64_t kSlack = 1 << 20;
  CHECK(before.peak_resident_bytes + kSlack >= before.resident_bytes);
  {
    const std::vector<char> block(kBytes, 1);
    const ProcessMemory during = process_memory();
    CHECK(during.resident_bytes >= before.resident_bytes + kBytes - kSlack);
    CHECK(block[kBytes / 2] == 1);
  }
  CHECK(process_memory().peak_resident_bytes >= before.resident_bytes + kBytes - kSlack);
}
