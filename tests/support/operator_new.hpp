// operator new under a test's control: counted, and refused on demand. For executables that link operator_new.cpp.
#pragma once

#include <cstdint>

namespace fathom::test {

// Blocks handed out so far in this process.
std::int64_t allocation_count();

// While alive, `granted` allocations of this thread succeed and all after them throw std::bad_alloc.
class FailingNew {
 public:
  explicit FailingNew(int granted);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
};

}  // namespace fathom::test
