#include "base/task_system.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "support/task_systems.hpp"

using namespace fathom;

TEST_CASE("run_tasks calls the body once for each index, in whatever order the host likes") {
  test::ShuffledTasks tasks(4);
  for (const int count : {1, 2, 3, 17}) {
    std::vector<int> calls(std::size_t(count), 0);
    auto body = [&](int index) { ++calls[std::size_t(index)]; };
    run_tasks(tasks, count, body);
    CHECK(calls == std::vector<int>(std::size_t(count), 1));
  }
}

TEST_CASE("a single task runs on the calling thread without the host") {
  test::ShuffledTasks tasks(4);
  int calls = 0;
  auto body = [&](int) { ++calls; };
  run_tasks(tasks, 1, body);
  CHECK(calls == 1);
  CHECK(tasks.runs() == 0);
}
