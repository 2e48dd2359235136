// The default task system: workers that sleep when there is nothing to do.
#pragma once

#include <memory>

#include "base/task_system.hpp"

namespace fathom {

// `threads` in all, the caller of run() included; 1 starts no thread; 0 means usable_cores().
// Between two runs that follow closely a worker spins for at most some tens of microseconds, then parks.
std::unique_ptr<TaskSystem> make_thread_pool(int threads);

// Cores in the thread's affinity, or the CPU quota of the process's container, rounded up, where that is less. At least 1.
int usable_cores() noexcept;

}  // namespace fathom
