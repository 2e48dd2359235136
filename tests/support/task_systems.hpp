// Hosts' task systems for tests: legal, and as unlike a friendly thread pool as the contract allows.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/rng.hpp"
#include "base/task_system.hpp"

namespace fathom::test {

// Serial, in another order each time; promises `concurrency` at once.
class ShuffledTasks final : public TaskSystem {
 public:
  explicit ShuffledTasks(int concurrency, std::uint64_t seed = 1) : concurrency_(concurrency), rng_(seed) {
    order_.reserve(1024);
  }

  int concurrency() const noexcept override { return concurrency_; }
  int runs() const { return runs_; }

  void run(int count, void (*function)(void* context, int index) noexcept, void* context) noexcept override {
    ++runs_;
    order_.resize(std::size_t(count));
    std::iota(order_.begin(), order_.end(), 0);
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng_.next() % i]);
    for (const int index : order_) function(context, index);
  }

 private:
  int concurrency_;
  int runs_ = 0;
  Rng rng_;
  std::vector<int> order_;
};

}  // namespace fathom::test
