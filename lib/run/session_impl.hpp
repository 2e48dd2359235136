// What a Session holds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "fathom/batch.hpp"
#include "fathom/session.hpp"
#include "model/pass/pass.hpp"
#include "nn/kv_cache.hpp"
#include "run/generated_text.hpp"
#include "run/model_impl.hpp"
#include "run/route_counter.hpp"
#include "run/sampler.hpp"

namespace fathom {

// What the options mean for this model. Each throws Error{invalid_argument} when it is out of range.
std::int64_t choose_context(const SessionOptions& options, const ModelInfo& info);
std::int64_t choose_rows(const SessionOptions& options, std::int64_t context);
std::int32_t choose_top_logprobs(const SessionOptions& options);

void check_tokens(std::span<const TokenId> tokens, std::int64_t vocab_size);

// A timeline of tokens of which the first `computed` are in the cache. What a step works on next follows from these:
// queued tokens go through the body in chunks; after the last one the head gives logits; from those a token is drawn.
struct Session::Impl {
  Impl(std::shared_ptr<const Model::Impl> model, const SessionOptions& options);
  // Goes on where `other` stands; what is computed is shared.
  explicit Impl(const Impl& other);
  ~Impl();

  void reserve();
  void rewind(std::int64_t length);
  void set_stop(const StopOptions& options);
  // Before this session changes what a joint pass under way works on.
  void leave_joint_pass() noexcept;
  // What a finished step tells.
  StepResult finish(StopReason stop, StepResult result);

  // Tokens that need not go through the model again: all computed ones, unless the logits of the last are still to come.
  std::int64_t settled() const { return logits_valid || queued() > 0 || computed == 0 ? computed : computed - 1; }
  std::int64_t queued() const { return std::int64_t(tokens.size()) - computed; }
  std::int64_t queued_appended() const { return queued() - (drawn >= computed); }

  // One run of the pass to its end; false when it paused.
  bool advance(const Deadline& deadline) { return pass.advance(*model->runtime->tasks, deadline, cancelled); }

  bool take_in_queue(const StepOptions& options, const Deadline& deadline, StepResult& result);
  bool report_logits(const StepOptions& options, const Deadline& deadline);
  // Copies the routes of a finished chunk out of the pass that ran it.
  void keep_routes(const model::Pass& ran, const model::RowSpan& chunk);
  // The chunk is in the cache. Returns how many of its tokens were appended rather than generated.
  std::int64_t take_in(const model::RowSpan& chunk);
  bool follows_routes() const { return (traces || totals.counts()) && model->info.experts > 0; }
  bool draw(StepResult& result);
  // The layer's steering, about to change; what is under way with the old one is begun again. Throws Error{invalid_argument}.
  model::LayerSteering& change_steering(std::int64_t layer);
  const model::LayerSteering* steering_or_null() const { return steering.empty() ? nullptr : steering.data(); }

  std::shared_ptr<const Model::Impl> model;
  std::int64_t context;
  std::int64_t chunk_rows;
  nn::KvCache cache;
  model::Pass pass;
  Sampler sampler;
  GeneratedText text;
  bool traces;
  std::int32_t top_logprobs;
  std::vector<TokenId> stop_tokens;

  std::vector<TokenId> tokens;
  std::int64_t computed = 0;
  std::int64_t drawn = -1;  // where the last generated token stands
  enum class Doing { nothing, body, head } doing = Doing::nothing;
  model::RowSpan span;        // of the chunk under way
  std::int64_t reported = 0;  // rows of the chunk whose logits were reported
  bool logits_valid = false;
  std::vector<TokenId> new_tokens;     // generated, not taken
  std::vector<TokenLogprob> logprobs;  // likewise, 1 + top_logprobs for each
  std::vector<Route> routes;           // traced, not taken
  RouteCounter totals;
  StopReason stopped = StopReason::none;
  std::vector<model::LayerSteering> steering;  // [layers], or empty
  LogitsHook logits_hook;
  std::vector<float> hooked_logits;  // [vocab] what the hook may edit; empty without one
  CancelFlag cancelled{false};
  Batch::Impl* batch = nullptr;  // of which this is a member
};

}  // namespace fathom
