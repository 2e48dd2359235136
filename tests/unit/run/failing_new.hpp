// Lets operator new fail on demand, on this thread; the test executable replaces it.
#pragma once

namespace fathom::test {

// While alive, `granted` allocations of this thread succeed and all after them throw std::bad_alloc.
class FailingNew {
 public:
  explicit FailingNew(int granted);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
};

}  // namespace fathom::test
