// The default task system: workers that sleep when there is nothing to do.
#pragma once

#include <memory>

#include "base/task_system.hpp"

namespace fathom {

// `threads` in all, the caller of run() included; 1 starts no thread; 0 means one for each core the process may use.
// Between two runs that follow closely a worker spins for at most some tens of microseconds, then parks.
std::unique_ptr<TaskSystem> make_thread_pool(int threads);

int usable_cores() noexcept;

}  // namespace fathom
