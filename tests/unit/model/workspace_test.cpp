#include "model/workspace.hpp"

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

TEST_CASE("a workspace is one block of the size it said it would be") {
  for (const char* name : {"llama3", "gpt-oss", "deepseek-v3"}) {
    CAPTURE(std::string(name));
    const auto network = test::open_fixture(name, false);
    for (const std::int64_t rows : {1, 17, 512}) {
      for (const int workers : {1, 3}) {
        OneBlock allocator;
        const model::Workspace workspace(*network, rows, 4, workers, allocator);
        CHECK(allocator.requests == 1);
        CHECK(allocator.taken == model::Workspace::bytes_for(*network, rows, 4, workers));
        CHECK(workspace.x.rows == rows);
        CHECK(workspace.logits.rows == 4);
        CHECK(workspace.workers.size() == std::size_t(workers));
      }
    }
  }
}

TEST_CASE("more rows and more workers need more memory") {
  const auto network = test::open_fixture("deepseek-v3", false);
  CHECK(model::Workspace::bytes_for(*network, 512, 1, 1) > model::Workspace::bytes_for(*network, 256, 1, 1));
  CHECK(model::Workspace::bytes_for(*network, 256, 1, 8) > model::Workspace::bytes_for(*network, 256, 1, 1));
}

TEST_CASE("a workspace that gets no memory says how much it wanted") {
  const auto network = test::open_fixture("llama3", false);
  OneBlock allocator;
  allocator.refuses = true;
  test::check_error(Status::out_of_memory, {std::to_string(model::Workspace::bytes_for(*network, 8, 1, 1)), "scratch"},
                    [&] { model::Workspace(*network, 8, 1, 1, allocator); });
}
