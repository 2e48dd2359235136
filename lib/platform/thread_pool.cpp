// Fork-join on a fixed set of workers. A worker enters an open job, draws indices from a shared counter, and leaves; the caller
// draws too, then closes the job and waits only for workers that are inside. One that wakes late finds the job closed and
// delays nobody.
#include "platform/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "platform/container_limits.hpp"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fathom {
namespace {

constexpr int kMaxThreads = 4096;  // far above any machine; a typing error should not start a million threads
// Longer than the serial stretch between two parallel groups of a forward pass, shorter than anybody would notice as heat.
constexpr auto kSpin = std::chrono::microseconds(40);
constexpr int kPausesBetweenClockReads = 16;

void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Until the condition holds, but for no longer than kSpin. Returns whether it holds.
template <typename Condition>
bool spin_until(Condition condition) noexcept {
  if (condition()) return true;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesBetweenClockReads; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

// Threads started while this exists take no signals: the host's handlers keep running on the host's threads.
class SignalsBlocked {
 public:
#if defined(__linux__)
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#else
  SignalsBlocked() {}
#endif
};

#if defined(__linux__)
// Cores by number, more of them than a kernel can be built for.
struct CoreSet {
  cpu_set_t sets[8];

  // The cores the calling thread may use; empty when the system does not tell.
  static CoreSet usable() noexcept {
    CoreSet cores;
    if (sched_getaffinity(0, sizeof cores.sets, cores.sets) != 0) CPU_ZERO_S(sizeof cores.sets, cores.sets);
    return cores;
  }
  int count() const noexcept { return CPU_COUNT_S(sizeof sets, sets); }
  CoreSet without(int core) const noexcept {
    CoreSet rest = *this;
    CPU_CLR_S(std::size_t(core), sizeof rest.sets, rest.sets);
    return rest;
  }
};
#endif

// Linux likes to wake a thread on the core of the one that wakes it. After both have slept, a worker then waits for the
// caller's time slice to end: 1.8 ms on an idle two-core machine, against 0.04 ms when it may not run there. So the caller's
// core is taken from the workers' affinity when sleepers are about to be woken; it costs a system call each time the caller has
// moved.
class WorkerPlacement {
 public:
  void keep_off_this_core([[maybe_unused]] std::vector<std::thread>& workers) noexcept {
#if defined(__linux__)
    const int core = sched_getcpu();
    if (core < 0 || core == avoided_core_) return;
    avoided_core_ = core;
    const CoreSet others = usable_.without(core);
    if (others.count() == 0) return;
    for (std::thread& worker : workers) pthread_setaffinity_np(worker.native_handle(), sizeof others.sets, others.sets);
#endif
  }

#if defined(__linux__)
 private:
  const CoreSet usable_ = CoreSet::usable();
  int avoided_core_ = -1;
#endif
};

class ThreadPool final : public TaskSystem {
 public:
  explicit ThreadPool(int threads) : threads_(threads), own_cores_(threads <= usable_cores()) {}

  ~ThreadPool() override {
    stopping_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void start() {
    workers_.reserve(std::size_t(threads_ - 1));
    const SignalsBlocked blocked;
    for (int i = 1; i < threads_; ++i) workers_.emplace_back([this] { work(); });
  }

  int concurrency() const noexcept override { return threads_; }

  void run(int count, void (*function)(void*, int) noexcept, void* context) noexcept override {
    // A second caller while a job is open does its own tasks: it is a thread too, and no worker is free.
    if (count <= 1 || threads_ == 1 || busy_.exchange(true)) {
      for (int i = 0; i < count; ++i) function(context, i);
      return;
    }
    job_ = {function, context, count};
    next_.store(0, std::memory_order_relaxed);
    gate_.fetch_or(kOpen);
    call_workers(count - 1);
    draw_tasks();
    gate_.fetch_and(~kOpen);
    wait_until_left();
    busy_.store(false);
  }

 private:
  struct Job {
    void (*function)(void*, int) noexcept = nullptr;
    void* context = nullptr;
    int count = 0;
  };

  static constexpr std::uint32_t kOpen = 1u << 31;  // in gate_; the bits below count the workers inside

  void draw_tasks() noexcept {
    const Job job = job_;
    // 64 bits: every thread draws once past the end, which must not wrap for the largest count.
    for (;;) {
      const std::int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= job.count) return;
      job.function(job.context, int(index));
    }
  }

  void call_workers(int useful_workers) noexcept {
    if (own_cores_ && parked_.load() > 0) placement_.keep_off_this_core(workers_);
    epoch_.fetch_add(1);
    if (useful_workers >= threads_ - 1) {
      epoch_.notify_all();
      return;
    }
    for (int i = 0; i < useful_workers; ++i) epoch_.notify_one();
  }

  void wait_until_left() noexcept {
    const auto everybody_left = [this] { return gate_.load() == 0; };
    if (own_cores_ && spin_until(everybody_left)) return;
    for (std::uint32_t inside = gate_.load(); inside != 0; inside = gate_.load()) gate_.wait(inside);
  }

  void park(std::uint32_t seen) noexcept {
    parked_.fetch_add(1);
    epoch_.wait(seen);
    parked_.fetch_sub(1);
  }

  void work() noexcept {
    std::uint32_t seen = 0;
    for (;;) {
      const auto called = [&] { return epoch_.load() != seen; };
      if (!own_cores_ || !spin_until(called)) park(seen);
      seen = epoch_.load();
      if (stopping_.load()) return;
      if (gate_.fetch_add(1) & kOpen) draw_tasks();
      if (gate_.fetch_sub(1) == 1) gate_.notify_one();
    }
  }

  const int threads_;
  // Spinning helps only while every thread has a core of its own; otherwise it takes the core from the one waited for.
  const bool own_cores_;
  std::vector<std::thread> workers_;
  WorkerPlacement placement_;  // touched by the caller that holds busy_
  Job job_;                    // written only while the gate is shut and nobody is inside
  std::atomic<bool> busy_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int> parked_{0};
  // Each on its own cache line: all threads hammer next_, sleepers look at epoch_, the caller at gate_.
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // a new value calls the workers
  alignas(64) std::atomic<std::uint32_t> gate_{0};
  alignas(64) std::atomic<std::int64_t> next_{0};
};

}  // namespace

int usable_cores() noexcept {
  int cores = 0;
#if defined(__linux__)
  cores = CoreSet::usable().count();
#endif
  if (cores == 0) cores = std::max(int(std::thread::hardware_concurrency()), 1);
  return std::min(cores, container_limits().cpus.value_or(cores));
}

std::unique_ptr<TaskSystem> make_thread_pool(int threads) {
  if (threads < 0 || threads > kMaxThreads) {
    fail(Status::invalid_argument, "number of threads is {}, expected 0 (one a core) to {}", threads, kMaxThreads);
  }
  if (threads == 0) threads = usable_cores();
  try {
    auto pool = std::make_unique<ThreadPool>(threads);
    pool->start();
    return pool;
  } catch (const std::system_error& error) {
    fail(Status::out_of_memory, "could not start {} threads: {}", threads, error.what());
  } catch (const std::bad_alloc&) {
    fail(Status::out_of_memory, "could not start {} threads: no memory", threads);
  }
}

}  // namespace fathom
