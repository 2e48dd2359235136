// What a host lends to a runtime, as the C++ API wants it. Lives until the last handle made from the runtime is released.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "fathom.h"
#include "fathom/host.hpp"
#include "handles.hpp"

namespace capi {

// Each takes the hook's struct by value and throws invalid_argument when a function is missing.
std::unique_ptr<fathom::Allocator> adapt(const fathom_allocator& hook);
std::unique_ptr<fathom::TaskSystem> adapt(const fathom_task_system& hook);
std::unique_ptr<fathom::FileSystem> adapt(const fathom_file_system& hook);
std::unique_ptr<fathom::LogSink> adapt(const fathom_log_sink& hook);

// Runs `work`; throws callback_failed behind it when the host's task system failed in a run that this thread asked for
// meanwhile.
bool take_task_failure() noexcept;
template <typename Work>
void watch_tasks(Work&& work) {
  take_task_failure();
  work();
  if (take_task_failure()) {
    fail(FATHOM_CALLBACK_FAILED, "the host's task system failed or left tasks out; they were done without it");
  }
}

class Host {
 public:
  std::unique_ptr<fathom::Allocator> allocator;
  std::unique_ptr<fathom::TaskSystem> tasks;
  std::unique_ptr<fathom::FileSystem> files;
  std::unique_ptr<fathom::LogSink> log;

  fathom::Host hooks() const noexcept { return {allocator.get(), tasks.get(), files.get(), log.get()}; }

  // Keeps an emptied shell for as long as there is room; the oldest makes way.
  void bury(std::unique_ptr<Shell> shell) noexcept {
    std::unique_ptr<Shell> oldest;
    const std::lock_guard lock(mutex_);
    oldest = std::exchange(graves_[next_grave_], std::move(shell));
    next_grave_ = (next_grave_ + 1) % graves_.size();
  }

 private:
  std::mutex mutex_;
  std::size_t next_grave_ = 0;
  std::array<std::unique_ptr<Shell>, 256> graves_;
};

}  // namespace capi
