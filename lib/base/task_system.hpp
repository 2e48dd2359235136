// Fork and join: the one thing fathom asks of threads.
#pragma once

#include "fathom/host.hpp"

namespace fathom {

// Calls body(i) for i in [0, count) through a TaskSystem; body must not throw.
template <typename Body>
void run_tasks(TaskSystem& tasks, int count, Body& body) noexcept {
  if (count == 1) {
    body(0);
    return;
  }
  tasks.run(count, [](void* context, int index) noexcept { (*static_cast<Body*>(context))(index); }, &body);
}

}  // namespace fathom
