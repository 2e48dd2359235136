#include "model/pass/pass_memory.hpp"

#include <doctest/doctest.h>

#include <string>

#include "support/check_error.hpp"
#include "unit/model/run_network.hpp"

using namespace fathom;

namespace {

class OneBlock final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    CHECK(purpose == MemoryPurpose::scratch);
    ++requests;
    taken += std::int64_t(bytes);
    return refuses ? nullptr : heap_allocator().allocate(bytes, alignment, purpose);
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    heap_allocator().release(memory, bytes, alignment, purpose);
  }
  bool refuses = false;
  int requests = 0;
  std::int64_t taken = 0;
};

}  // namespace

TEST_CASE("the memory of a pass is one block of the size it said it would be") {
  for (const char* name : {"llama3", "gpt-oss", "deepseek-v3"}) {
    CAPTURE(std::string(name));
    const auto network = test::open_fixture(name, false);
    for (const std::int64_t rows : {1, 17, 512}) {
      for (const int workers : {1, 3}) {
        OneBlock allocator;
        const model::PassMemory memory(*network, {rows, 4, workers}, allocator);
        CHECK(allocator.requests == 1);
        CHECK(allocator.taken == model::PassMemory::bytes_for(*network, {rows, 4, workers}));
        CHECK(memory.x.rows == rows);
        CHECK(memory.logits.rows == 4);
        CHECK(memory.workers.size() == std::size_t(workers));
      }
    }
  }
}

TEST_CASE("more rows and more workers need more memory") {
  const auto network = test::open_fixture("deepseek-v3", false);
  CHECK(model::PassMemory::bytes_for(*network, {512, 1, 1}) > model::PassMemory::bytes_for(*network, {256, 1, 1}));
  CHECK(model::PassMemory::bytes_for(*network, {256, 1, 8}) > model::PassMemory::bytes_for(*network, {256, 1, 1}));
}

TEST_CASE("the memory of a pass that gets no memory says how much it wanted") {
  const auto network = test::open_fixture("llama3", false);
  OneBlock allocator;
  allocator.refuses = true;
  test::check_error(Status::out_of_memory, {std::to_string(model::PassMemory::bytes_for(*network, {8, 1, 1})), "scratch"},
                    [&] { model::PassMemory(*network, {8, 1, 1}, allocator); });
}
