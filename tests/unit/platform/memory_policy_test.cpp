#include "platform/memory_policy.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>

#include "platform/container_limits.hpp"

using namespace fathom;

TEST_CASE("the memory that counts is the machine's, or the container's limit where that is lower") {
  const std::int64_t machine = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  const std::int64_t usable = physical_memory_bytes();
  CHECK(usable >= 1);
  CHECK(usable <= machine);
  CHECK(usable == std::clamp<std::int64_t>(container_limits().memory_bytes.value_or(machine), 1, machine));
}
