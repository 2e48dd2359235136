#include "platform/thread_pool.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <time.h>

#include <pthread.h>
#include <sched.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "support/sanitizers.hpp"

using namespace fathom;
using namespace std::chrono_literals;

namespace {

// Process CPU time of all threads, in seconds.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

// How often each index was called.
std::vector<int> calls_of_run(TaskSystem& pool, int count) {
  std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
  auto body = [&](int i) { calls[std::size_t(i)].fetch_add(1, std::memory_order_relaxed); };
  run_tasks(pool, count, body);
  return {calls.begin(), calls.end()};
}

bool each_once(const std::vector<int>& calls) {
  return std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; });
}

}  // namespace

TEST_CASE("every index is called exactly once, for any number of threads and tasks") {
  for (const int threads : {1, 2, 3, 8}) {
    const auto pool = make_thread_pool(threads);
    CHECK(pool->concurrency() == threads);
    for (const int count : {0, 1, 2, 3, 7, 8, 9, 1000, 100001}) {
      CAPTURE(threads);
      CAPTURE(count);
      CHECK(each_once(calls_of_run(*pool, count)));
    }
  }
}

TEST_CASE("many short runs in a row lose no task and let none run late") {
  for (const int threads : {2, 4}) {
    const auto pool = make_thread_pool(threads);
    for (int round = 0; round < 20000; ++round) {
      // Plain ints: a task that ran after run() returned, or unordered with it, would be a race (and a wrong sum).
      int values[5] = {};
      auto body = [&](int i) { values[i] += round + i; };
      const int count = 2 + round % 4;
      run_tasks(*pool, count, body);
      for (int i = 0; i < 5; ++i) REQUIRE(values[i] == (i < count ? round + i : 0));
    }
  }
}

TEST_CASE("runs after pauses of every length wake the sleeping workers") {
  const auto pool = make_thread_pool(3);
  for (const auto pause : {0us, 20us, 45us, 100us, 1000us, 20000us}) {
    for (int round = 0; round < 5; ++round) {
      std::this_thread::sleep_for(pause);
      CHECK(each_once(calls_of_run(*pool, 17)));
    }
  }
}

TEST_CASE("tasks long enough to notice are shared by all threads") {
  const auto pool = make_thread_pool(3);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  auto body = [&](int) {
    std::this_thread::sleep_for(20ms);
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  };
  // A worker would have to stay off the processor for 200 ms to miss all of its share.
  run_tasks(*pool, 30, body);
  CHECK(threads.size() == 3);
  CHECK(threads.count(std::this_thread::get_id()) == 1);
}

TEST_CASE("several threads may run jobs on one pool at once") {
  const auto pool = make_thread_pool(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        int values[6] = {};
        auto body = [&](int i) { ++values[i]; };
        run_tasks(*pool, 6, body);
        for (const int value : values) wrong += value != 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("a task that calls run anyway is served, not deadlocked") {
  const auto pool = make_thread_pool(2);
  std::atomic<int> calls{0};
  auto inner = [&](int) { ++calls; };
  auto outer = [&](int) { run_tasks(*pool, 5, inner); };
  run_tasks(*pool, 4, outer);
  CHECK(calls == 20);
}

TEST_CASE("a run of millions of tasks ends after exactly so many calls") {
  const auto pool = make_thread_pool(2);
  std::atomic<int> calls{0};
  auto body = [&](int index) { calls += index >= 0; };
  constexpr int kCount = 1 << 22;
  run_tasks(*pool, kCount, body);
  CHECK(calls == kCount);
}

#if defined(__linux__)
TEST_CASE("a worker woken from sleep may not run on the core of the caller, wherever that goes") {
  // Else Linux queues it behind the caller for a time slice. Checked by affinity, not by time: other work may keep both cores.
  cpu_set_t usable;
  sched_getaffinity(0, sizeof usable, &usable);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &usable)) cores.push_back(core);
  }
  if (cores.size() < 2) return;

  const auto pool = make_thread_pool(2);
  const auto caller = std::this_thread::get_id();
  for (const int core : {cores.front(), cores.back(), cores.front()}) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(core, &here);
    sched_setaffinity(0, sizeof here, &here);
    std::atomic<bool> kept_off{false};
    for (int round = 0; round < 400 && !kept_off; ++round) {  // a worker that had no time to park yet is not moved
      std::this_thread::sleep_for(2ms);
      auto body = [&](int) {
        std::this_thread::sleep_for(2ms);
        if (std::this_thread::get_id() == caller) return;
        cpu_set_t allowed;
        sched_getaffinity(0, sizeof allowed, &allowed);
        if (!CPU_ISSET(core, &allowed)) kept_off = true;
      };
      run_tasks(*pool, 2, body);
    }
    CHECK(kept_off);
  }
  sched_setaffinity(0, sizeof usable, &usable);
}
#endif

TEST_CASE("an idle pool uses no processor time") {
  const auto pool = make_thread_pool(4);
  CHECK(each_once(calls_of_run(*pool, 100)));
  std::this_thread::sleep_for(10ms);
  const double before = cpu_seconds();
  std::this_thread::sleep_for(200ms);
  CHECK(cpu_seconds() - before < 0.005);  // one spinning worker would use 0.2 s
}

TEST_CASE("a pool made and dropped at once joins its threads") {
  for (int round = 0; round < 200; ++round) {
    const auto pool = make_thread_pool(4);
    if (round % 2) CHECK(each_once(calls_of_run(*pool, 4)));
  }
}

TEST_CASE("zero threads means one a usable core") {
  CHECK(usable_cores() >= 1);
  CHECK(make_thread_pool(0)->concurrency() == usable_cores());
}

TEST_CASE("numbers of threads that make no sense are refused") {
  for (const int threads : {-1, -2147483647 - 1, 4097, 2147483647}) {
    CAPTURE(threads);
    try {
      make_thread_pool(threads);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::invalid_argument);
      CHECK(error.message().find(std::to_string(threads)) != std::string::npos);
    }
  }
}

#if !defined(FATHOM_ADDRESS_SANITIZER) && !defined(FATHOM_THREAD_SANITIZER)  // they need address space of their own
TEST_CASE("threads the system refuses to start become out_of_memory, and those started are joined") {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  rlimit tight = limit;
  tight.rlim_cur = rlim_t(1) << 30;  // room for about a hundred stacks of 8 MiB
  setrlimit(RLIMIT_AS, &tight);
  Status status = Status::ok;
  try {
    make_thread_pool(4096);
  } catch (const Error& error) {
    status = error.status();
  }
  setrlimit(RLIMIT_AS, &limit);
  CHECK(status == Status::out_of_memory);
}
#endif

TEST_CASE("workers leave the host's signals to the host's threads") {
  const auto pool = make_thread_pool(2);
  std::mutex mutex;
  bool caller_blocked = true, worker_blocked = true;
  const auto caller = std::this_thread::get_id();
  auto body = [&](int) {
    std::this_thread::sleep_for(5ms);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    const std::lock_guard lock(mutex);
    bool& flag = std::this_thread::get_id() == caller ? caller_blocked : worker_blocked;
    flag = flag && sigismember(&blocked, SIGUSR1) == 1;
  };
  run_tasks(*pool, 8, body);
  CHECK(worker_blocked);
  CHECK(!caller_blocked);
}
