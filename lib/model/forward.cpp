#include "model/forward.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

namespace fathom::model {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kUnknownUnitUs = 1000.0;  // taken for a unit that was never timed: more than any should take

double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

}  // namespace

Pass::Pass(const Network& network_, std::int64_t max_rows, std::int64_t logit_rows, int workers, Allocator& allocator)
    : network(network_), kernels(network_.engine->kernels), ws(network_, max_rows, logit_rows, workers, allocator) {
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
  int next = 0;
  for (std::int64_t layer = 0; layer < network.config.num_hidden_layers; ++layer) {
    moe_index_.push_back(network.config.is_moe(layer) ? next++ : -1);
  }
}

void Pass::start(const Plan& plan) noexcept {
  plan_ = &plan;
  stage_ = 0;
  round = 0;
  unit_ = 0;
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

bool Pass::advance(TaskSystem& tasks, const Deadline& deadline, const CancelFlag& cancel) noexcept {
  progressed_ = false;
  while (plan_) {
    if (!run_stage(tasks, deadline, cancel)) return false;
    if (observer) observe((*plan_)[stage_]);
    unit_ = 0;
    const StageKind& done = *(*plan_)[stage_].kind;
    if (done.another_round) {
      if (done.another_round(*this)) {
        ++round;
        stage_ -= done.stages_a_round - 1;
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
  const std::int64_t units = stage.kind->units(*this, stage.layer);
  if (units == 0) return true;
  double& expected_us =
      std::find_if(estimates_.begin(), estimates_.end(), [&](const Estimate& e) { return e.kind == stage.kind; })->us;
  const bool must_progress = !progressed_;
  const auto began = Clock::now();
  std::atomic<std::int64_t> next{unit_};
  std::atomic<bool> pause{false};

  auto body = [&](int index) {
    Worker& worker = ws.workers[std::size_t(index)];
    bool forced = must_progress && index == 0;
    double longest = 0.0;
    for (;;) {
      if (!forced && (pause.load(std::memory_order_relaxed) || cancel.load(std::memory_order_relaxed) ||
                      deadline.too_late_for(expected_us))) {
        pause.store(true, std::memory_order_relaxed);
        break;
      }
      forced = false;
      const std::int64_t unit = next.fetch_add(1, std::memory_order_relaxed);
      if (unit >= units) break;
      const auto unit_began = Clock::now();
      stage.kind->run(*this, stage.layer, unit, worker);
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

void Pass::adopt_logits(const float* row) noexcept {
  stop();
  head_rows = 1;
  std::copy_n(row, ws.logits.cols, ws.logits.data);
}

double Pass::take_longest_unit_us() noexcept { return std::exchange(longest_us_, 0.0); }

void Pass::trace_routes(Allocator& allocator) {
  if (traced_ids_) return;
  const std::size_t slots =
      std::size_t(network.moe_layers()) * positions.size() * std::size_t(config().router.experts_per_token);
  traced_ids_ = Buffer(allocator, slots * sizeof(std::int32_t), MemoryPurpose::other);
  traced_weights_ = Buffer(allocator, slots * sizeof(float), MemoryPurpose::other);
}

void Pass::keep_routes(int layer_index) noexcept {
  if (!traced_ids_) return;
  const std::size_t count = std::size_t(rows * config().router.experts_per_token);
  const std::size_t at =
      std::size_t(moe_index_[std::size_t(layer_index)]) * positions.size() * std::size_t(config().router.experts_per_token);
  std::copy_n(ws.route_ids.begin(), count, traced_ids_.as<std::int32_t>() + at);
  std::copy_n(ws.route_weights.begin(), count, traced_weights_.as<float>() + at);
}

std::span<const std::int32_t> Pass::traced_ids(std::int64_t moe_layer, std::int64_t row) const noexcept {
  const std::size_t k = std::size_t(config().router.experts_per_token);
  return {traced_ids_.as<std::int32_t>() + (std::size_t(moe_layer) * positions.size() + std::size_t(row)) * k, k};
}
std::span<const float> Pass::traced_weights(std::int64_t moe_layer, std::int64_t row) const noexcept {
  const std::size_t k = std::size_t(config().router.experts_per_token);
  return {traced_weights_.as<float>() + (std::size_t(moe_layer) * positions.size() + std::size_t(row)) * k, k};
}

void Pass::observe(const Stage& done) const {
  const Matrix<const float> stream{ws.x.data, rows, ws.x.cols};
  if (done.kind == &stages::embed) observer(-1, stream);
  if (done.kind == &stages::down || done.kind == &stages::shared_down) observer(done.layer, stream);
  if (done.kind == &stages::final_norm) observer(int(config().num_hidden_layers), {ws.normed.data, head_rows, ws.normed.cols});
}

}  // namespace fathom::model
