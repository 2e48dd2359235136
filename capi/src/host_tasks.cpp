// fathom_task_system as a fathom::TaskSystem, for hosts that keep their promise and for those that do not: every task runs
// exactly once, and none is running when run() returns, whatever the host did.
//
// The index a host passes is not used. Each call draws the next one from a ticket, so that calls made twice or too late find
// nothing to do, and what the host left out is done by the caller.
#include <array>

#include "host.hpp"

namespace capi {
namespace {

thread_local bool task_failure = false;

constexpr int kMostRuns = 64;  // at once; a further one is done by its caller alone

struct Run {
  std::atomic<bool> taken{false};
  void (*function)(void*, int) noexcept = nullptr;
  void* context = nullptr;
  std::atomic<std::uint64_t> ticket{0};  // count << 32 | next index: one number, so that both are of the same run
  std::atomic<std::uint32_t> done{0};

  // Runs the next task; false when there is none.
  bool draw() noexcept {
    const std::uint64_t drawn = ticket.fetch_add(1);
    const std::uint32_t count = std::uint32_t(drawn >> 32), index = std::uint32_t(drawn);
    if (index >= count) {
      ticket.fetch_sub(1);  // stay near the count however often a host calls
      return false;
    }
    function(context, int(index));
    if (done.fetch_add(1) + 1 == count) done.notify_all();
    return true;
  }
};

void run_one(void* run, int32_t) { static_cast<Run*>(run)->draw(); }

class HostTasks final : public fathom::TaskSystem {
 public:
  explicit HostTasks(const fathom_task_system& hook) : hook_(hook) {}

  int concurrency() const noexcept override { return hook_.concurrency; }

  void run(int count, void (*function)(void*, int) noexcept, void* context) noexcept override {
    Run* run = take_run();
    if (run == nullptr) {
      for (int i = 0; i < count; ++i) function(context, i);
      return;
    }
    run->function = function;
    run->context = context;
    run->done.store(0);
    run->ticket.store(std::uint64_t(count) << 32);
    if (!ask_host(count, run)) task_failure = true;
    while (run->draw()) task_failure = true;
    for (std::uint32_t done = run->done.load(); done != std::uint32_t(count); done = run->done.load()) {
      task_failure = true;  // the host returned before its tasks did
      run->done.wait(done);
    }
    run->taken.store(false);
  }

 private:
  Run* take_run() noexcept {
    for (Run& run : runs_) {
      if (!run.taken.exchange(true)) return &run;
    }
    return nullptr;
  }

  bool ask_host(int count, Run* run) const noexcept {
    try {
      return hook_.run(hook_.user, count, run_one, run) == 0;
    } catch (...) {
      return false;
    }
  }

  const fathom_task_system hook_;
  std::array<Run, kMostRuns> runs_;
};

}  // namespace

bool take_task_failure() noexcept { return std::exchange(task_failure, false); }

std::unique_ptr<fathom::TaskSystem> adapt(const fathom_task_system& hook) {
  require(hook.run != nullptr, "fathom_task_system needs run");
  require(hook.concurrency >= 1 && hook.concurrency <= 4096, "fathom_task_system.concurrency is not 1 to 4096");
  return std::make_unique<HostTasks>(hook);
}

}  // namespace capi
