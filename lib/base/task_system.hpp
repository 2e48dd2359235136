// Fork and join: the one thing fathom asks of threads.
#pragma once

#include <cstdint>

namespace fathom {

class TaskSystem {
 public:
  virtual ~TaskSystem() = default;

  // How many calls of a `run` may be in flight at once; at least 1. Fixed for the object's life.
  virtual int concurrency() const noexcept = 0;

  // Calls function(context, i) once for each i in [0, count), on any threads and in any order, and returns when all have
  // returned. A serial loop is a correct implementation. The function does not throw and never calls run itself.
  virtual void run(int count, void (*function)(void* context, int index) noexcept, void* context) noexcept = 0;
};

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
