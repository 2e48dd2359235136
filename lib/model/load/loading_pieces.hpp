// Loading cut in pieces: on all workers, with the share done told in between.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <string_view>

#include "base/error.hpp"
#include "base/task_system.hpp"

namespace fathom::model {

// Calls piece(i) for i in [0, count), `per_worker` of them for each worker between two reports; a piece that returns false lets
// the rest be. `progress` (may be empty) is called on this thread. Throws Error{cancelled} when it returns false.
template <typename Piece>
void run_pieces(TaskSystem& tasks, std::size_t count, std::size_t per_worker, std::string_view what,
                const std::function<bool(double done, std::string_view what)>& progress, Piece piece) {
  const auto report = [&](double done) {
    if (progress && !progress(done, what)) fail(Status::cancelled, "loading was cancelled while {}", what);
  };
  std::atomic<bool> going{true};
  const std::size_t workers = std::size_t(tasks.concurrency()), step = per_worker * workers;
  for (std::size_t first = 0; first < count && going; first += step) {
    report(double(first) / double(count));
    std::atomic<std::size_t> next{first};
    const std::size_t last = std::min(first + step, count);
    auto body = [&](int) {
      for (std::size_t i; (i = next.fetch_add(1)) < last;) {
        if (!piece(i)) going = false;
      }
    };
    run_tasks(tasks, int(std::min(last - first, workers)), body);
  }
  report(1.0);
}

}  // namespace fathom::model
