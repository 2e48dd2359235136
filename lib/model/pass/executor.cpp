// Runs the stages of a pass: tasks take units, the cursor remembers, deadlines and cancels pause.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "model/pass/pass.hpp"

namespace fathom::model {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kUnknownUnitUs = 1000.0;  // taken for a unit that was never timed: more than any should take

double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

}  // namespace

Pass::Pass(const Network& network_, std::int64_t max_rows, std::int64_t logit_rows, int workers, Allocator& allocator)
    : network(network_),
      kernels(network_.engine->kernels),
      memory(network_, {max_rows, logit_rows, workers}, allocator),
      routes(network_.config, max_rows) {
  positions.resize(std::size_t(max_rows));
  head_row.resize(std::size_t(logit_rows));
  worker_longest_.resize(std::size_t(workers));
  for (const Plan* plan : {&network.body, &network.head}) {
    for (const Stage& stage : *plan) {
      const auto known =
          std::find_if(estimates_.begin(), estimates_.end(), [&](const Estimate& e) { return e.kind == stage.kind; });
      if (known == estimates_.end()) estimates_.push_back({stage.kind, kUnknownUnitUs});
    }
  }
}

void Pass::start(const Plan& plan) noexcept {
  plan_ = &plan;
  stage_ = 0;
  round = 0;
  unit_ = 0;
  prepared_ = waiting_ = false;
  failed_ = false;
  failure_ = Status::ok;
}

void Pass::begin(std::span<const RowSpan> new_spans, std::span<const std::int32_t> new_ids) noexcept {
  spans = new_spans;
  ids = new_ids;
  // What units of fewer rows took says too little.
  if (std::int64_t(new_ids.size()) > rows) {
    for (Estimate& estimate : estimates_) estimate.us = std::max(estimate.us, kUnknownUnitUs);
  }
  rows = std::int64_t(new_ids.size());
  for (const RowSpan& span : spans) {
    for (std::int64_t i = 0; i < span.rows; ++i) positions[std::size_t(span.first_row + i)] = span.first_position + i;
  }
  start(network.body);
}

void Pass::begin_head(std::int64_t first_row, std::int64_t count) noexcept {
  head_first = first_row;
  head_rows = count;
  for (std::int64_t i = 0; i < count; ++i) head_row[std::size_t(i)] = first_row + i;
  start(network.head);
}

void Pass::begin_head(std::span<const std::int64_t> wanted) noexcept {
  head_first = wanted.front();
  head_rows = std::int64_t(wanted.size());
  std::copy(wanted.begin(), wanted.end(), head_row.begin());
  start(network.head);
}

void Pass::fail(Status status, const char* sentence) noexcept {
  if (failed_.exchange(true)) return;
  failure_ = status;
  std::strncpy(failure_text_.data(), sentence, failure_text_.size() - 1);
}

bool Pass::advance(TaskSystem& tasks, const Deadline& deadline, const CancelFlag& cancel) noexcept {
  progressed_ = waiting_ = false;
  while (plan_) {
    const Stage& stage = (*plan_)[stage_];
    if (!prepared_ && stage.kind->prepare) {
      const auto began = Clock::now();
      const Prepared found = stage.kind->prepare(*this, stage.at);
      part_us_[std::size_t(stage.kind->part)] += us_since(began);
      waiting_ = found == Prepared::waits;
      if (waiting_) return false;
    }
    prepared_ = true;
    const bool finished = failed_ || run_stage(tasks, deadline, cancel);
    if (failed_) {
      plan_ = nullptr;
      return false;
    }
    if (!finished) return false;
    if (observer) observe(stage);
    unit_ = 0;
    prepared_ = false;
    if (stage.kind->another_round) {
      if (stage.kind->another_round(*this, stage.at)) {
        ++round;
        stage_ -= stage.kind->stages_a_round - 1;
        continue;
      }
      round = 0;
    }
    if (++stage_ == plan_->size()) plan_ = nullptr;
  }
  return true;
}

// Runs the current stage from unit_ on. Tasks take units in order until there are none or one of them finds that it is time
// to pause; every unit taken is finished, so what is done is always a prefix.
bool Pass::run_stage(TaskSystem& tasks, const Deadline& deadline, const CancelFlag& cancel) noexcept {
  const Stage& stage = (*plan_)[stage_];
  const std::int64_t units = stage.kind->units(*this, stage.at);
  if (units == 0) return true;
  double& expected_us =
      std::find_if(estimates_.begin(), estimates_.end(), [&](const Estimate& e) { return e.kind == stage.kind; })->us;
  const bool must_progress = !progressed_;
  const auto began = Clock::now();
  std::atomic<std::int64_t> next{unit_};
  std::atomic<bool> pause{false};

  auto body = [&](int index) {
    Worker& worker = memory.workers[std::size_t(index)];
    bool forced = must_progress && index == 0;
    double longest = 0.0;
    for (;;) {
      if (!forced && (pause.load(std::memory_order_relaxed) || failed_.load(std::memory_order_relaxed) ||
                      cancel.load(std::memory_order_relaxed) || deadline.too_late_for(expected_us))) {
        pause.store(true, std::memory_order_relaxed);
        break;
      }
      forced = false;
      const std::int64_t unit = next.fetch_add(1, std::memory_order_relaxed);
      if (unit >= units) break;
      const auto unit_began = Clock::now();
      stage.kind->run(*this, stage.at, unit, worker);
      longest = std::max(longest, us_since(unit_began));
    }
    worker_longest_[std::size_t(index)] = longest;
  };
  const int tasks_wanted = int(std::min<std::int64_t>(std::min(tasks.concurrency(), worker_count()), units - unit_));
  if (tasks_wanted > 0) run_tasks(tasks, tasks_wanted, body);

  unit_ = std::min(next.load(), units);
  double longest = 0.0;
  for (int i = 0; i < tasks_wanted; ++i) longest = std::max(longest, worker_longest_[std::size_t(i)]);
  longest_us_ = std::max(longest_us_, longest);
  if (longest > 0.0) expected_us = std::max(longest, 0.75 * expected_us);
  part_us_[std::size_t(stage.kind->part)] += us_since(began);
  progressed_ = true;
  return unit_ == units;
}

double Pass::take_longest_unit_us() noexcept { return std::exchange(longest_us_, 0.0); }

void Pass::observe(const Stage& done) const {
  const Matrix<const float> stream{memory.x.data, rows, memory.x.cols};
  if (plan_ == &network.head && stage_ == 0) {
    observer(int(config().num_hidden_layers), {memory.normed.data, head_rows, memory.normed.cols});
  } else if (plan_ == &network.body && stage_ == 0) {
    observer(-1, stream);
  } else if (done.ends_layer) {
    observer(done.at.layer, stream);
  }
}

}  // namespace fathom::model
