// A forward pass that can pause: rows of tokens in, residual stream and logits out, one unit of work at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/deadline.hpp"
#include "base/task_system.hpp"
#include "fathom/error.hpp"
#include "model/pass/network.hpp"
#include "model/pass/pass_memory.hpp"
#include "model/pass/route_trace.hpp"
#include "nn/kv_cache.hpp"

namespace fathom::model {

// What a host imposes on the experts of one layer.
struct LayerSteering {
  std::vector<std::uint8_t> allowed;  // as nn::Steering
  std::vector<std::int32_t> forced;
};

// Consecutive rows of one sequence.
struct RowSpan {
  nn::KvCache* cache = nullptr;
  std::int64_t first_position = 0;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  const LayerSteering* steering = nullptr;  // [layers], or null
};

// Everything one pass works on. Made once, begun many times, for any sequences; no allocation after it is made.
class Pass {
 public:
  // `rows`: most rows of a pass; `logit_rows`: most rows of one begin_head. Throws Error{out_of_memory}.
  Pass(const Network& network, std::int64_t rows, std::int64_t logit_rows, int workers, Allocator& allocator);

  // Starts on `ids`; row i belongs to the span that covers it. The caches must have room. What was under way is dropped.
  void begin(std::span<const RowSpan> spans, std::span<const std::int32_t> ids) noexcept;
  // Starts on the logits of rows [first_row, first_row + count) of the finished body.
  void begin_head(std::int64_t first_row, std::int64_t count) noexcept;
  // Likewise for any rows, at most logit_rows of them; row i of logits() is then that of rows[i].
  void begin_head(std::span<const std::int64_t> rows) noexcept;
  // Works until done (true), or until the deadline or the flag says pause, a stage waits or the pass fails (false). At least
  // one unit is run, so that any budget makes progress.
  bool advance(TaskSystem& tasks, const Deadline& deadline, const CancelFlag& cancel) noexcept;
  bool running() const noexcept { return plan_ != nullptr; }
  // Drops what is under way.
  void stop() noexcept { plan_ = nullptr; }
  // The last advance() ended because a stage waits for something outside; calling it again asks again.
  bool waiting() const noexcept { return waiting_; }
  // Why the pass ended without a result; Status::ok while it did not. begin() clears it.
  Status failure() const noexcept { return failure_; }
  const char* failure_text() const noexcept { return failure_text_.data(); }
  // Ends the pass after the units under way. The first failure is kept. Any thread that runs a stage.
  void fail(Status status, const char* sentence) noexcept;

  Matrix<const float> logits() const noexcept { return {memory.logits.data, head_rows, memory.logits.cols}; }
  // Longest unit since the last call, in microseconds.
  double take_longest_unit_us() noexcept;
  // Time spent by part since the pass was made, in microseconds.
  std::span<const double, kParts> part_us() const noexcept { return part_us_; }

  // From here on keeps the experts' choice of every row. Throws Error{out_of_memory}.
  void trace_routes(Allocator& allocator) { routes.start(allocator); }
  std::span<const std::int32_t> traced_ids(std::int64_t moe_layer, std::int64_t row) const noexcept {
    return routes.ids(moe_layer, row);
  }
  std::span<const float> traced_weights(std::int64_t moe_layer, std::int64_t row) const noexcept {
    return routes.weights(moe_layer, row);
  }
  // For tests: called between stages with the residual stream [rows, hidden] after the embedding (layer -1) and after each
  // layer, and with the normed rows of the head (layer = number of layers).
  std::function<void(int layer, Matrix<const float>)> observer;

  // What the stages share.
  const Network& network;
  const kernels::KernelTable& kernels;
  PassMemory memory;
  RouteTrace routes;
  std::int64_t rows = 0;              // of this pass
  std::span<const std::int32_t> ids;  // [rows]
  std::span<const RowSpan> spans;
  std::vector<std::int64_t> positions;  // [rows]
  std::int64_t head_first = 0, head_rows = 0;
  std::vector<std::int64_t> head_row;  // [logit_rows] row of the body that each row of the head is
  std::int64_t round = 0;              // of the loop of stages under way

  const Config& config() const noexcept { return network.config; }
  const AttentionSpec& attention(Place at) const noexcept { return config().layer(at.layer).attention; }
  const nn::RopeConfig& rope(Place at) const noexcept { return config().ropes[attention(at).rope]; }
  const RopeAngles& rope_angles(Place at) const noexcept { return memory.ropes[attention(at).rope]; }
  const Block& block(Place at) const noexcept { return network.layers[std::size_t(at.layer)].blocks[std::size_t(at.block)]; }
  int worker_count() const noexcept { return int(memory.workers.size()); }

  // What the mechanism at a place keeps of its layer, and for the pass.
  template <typename Weights>
  const Weights& weights(Place at) const noexcept {
    return block(at).weights.template get<Weights>();
  }
  template <typename Scratch>
  Scratch& scratch(Place at) noexcept {
    return memory.scratch[block(at).scratch].template get<Scratch>();
  }
  template <typename Scratch>
  const Scratch& scratch(Place at) const noexcept {
    return memory.scratch[block(at).scratch].template get<Scratch>();
  }
  // Residual::merge of the layer.
  void merge(Place at, std::int64_t row, std::int64_t first, std::int64_t count, const float* values, float factor) noexcept {
    config().layer(at.layer).residual->merge(*this, at, row, first, count, values, factor);
  }

 private:
  void start(const Plan& plan) noexcept;
  bool run_stage(TaskSystem& tasks, const Deadline& deadline, const CancelFlag& cancel) noexcept;
  void observe(const Stage& done) const;

  // The cursor: with `round`, all there is to resuming.
  const Plan* plan_ = nullptr;
  std::size_t stage_ = 0;
  bool prepared_ = false;
  std::int64_t unit_ = 0;

  bool progressed_ = false;             // has this advance() run a unit yet?
  double longest_us_ = 0.0;             // unit since take_longest_unit_us
  std::vector<double> worker_longest_;  // [workers] in the stage that just ran
  // What a unit of each kind of stage took lately, whatever the layer: one that an interruption made long is soon forgotten.
  struct Estimate {
    const StageKind* kind;
    double us;
  };
  std::vector<Estimate> estimates_;
  std::array<double, kParts> part_us_{};
  bool waiting_ = false;
  std::atomic<bool> failed_{false};
  Status failure_ = Status::ok;
  std::array<char, 256> failure_text_{};
};

}  // namespace fathom::model
