// A timeline: one text under way, as tokens, and all that it needs to go on but a pass.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/deadline.hpp"
#include "fathom/session.hpp"
#include "model/pass/pass.hpp"
#include "nn/kv_cache.hpp"
#include "run/generated_text.hpp"
#include "run/model_impl.hpp"
#include "run/route_counter.hpp"
#include "run/sampler.hpp"

namespace fathom {

class Turn;
struct Timeline;

// Guesses the tokens that will be drawn after the timeline's last one: writes the first ones of `guesses`, returns how many.
// What is generated does not depend on it: a guess is the token that is drawn, and then spares a pass, or it is forgotten.
using Proposer = std::size_t (*)(void* source, const Timeline& timeline, std::span<TokenId> guesses) noexcept;

// The first `computed` tokens are in the cache. What to do next follows: queued tokens go through the model; after the last of
// them there are logits; from these a token is drawn, which is then queued.
struct Timeline {
  // Takes all memory that the timeline has. Throws Error.
  Timeline(std::shared_ptr<const Model::Impl> model, const SessionOptions& options);
  // Goes on where `other` stands; the cache so far is shared. Throws Error{out_of_memory}.
  Timeline(const Timeline& other);
  Timeline& operator=(const Timeline&) = delete;

  // Tokens that need not go through the model again: all computed ones, unless the logits of the last are still to come.
  std::int64_t settled() const noexcept { return logits_valid || queued() > 0 || computed == 0 ? computed : computed - 1; }
  std::int64_t queued() const noexcept { return std::int64_t(tokens.size()) - computed; }
  std::int64_t queued_appended() const noexcept { return queued() - (drawn >= computed); }
  // There is nothing to go on from, or generation has stopped.
  bool over() const noexcept { return stopped != StopReason::none || tokens.empty(); }
  bool follows_routes() const noexcept { return (traces || totals.counts()) && model->info.experts > 0; }
  const model::LayerSteering* steering_or_null() const noexcept { return steering.empty() ? nullptr : steering.data(); }

  // Changes from outside. Each deals with the rows that a pass under way has of this timeline. Arguments are checked by the
  // caller; rewind throws Error{out_of_memory} and changes nothing then.
  void append(std::span<const TokenId> added);
  void rewind(std::int64_t length);
  void reset() noexcept;
  void set_stop(const StopOptions& options);
  // The layer's steering, about to change. Throws Error{invalid_argument}.
  model::LayerSteering& change_steering(std::int64_t layer);
  // Before the timeline becomes another one: its rows of a pass are not wanted any more.
  void drop_rows() noexcept;

  // What a Turn does with it.
  //
  // Rows of a finished body: they are in the cache. Returns how many of their tokens were appended rather than generated.
  std::int64_t take_in(const model::RowSpan& rows) noexcept;
  // Copies the routes of rows of a finished body out of the pass.
  void keep_routes(const model::Pass& pass, const model::RowSpan& rows);
  // Logits of the last token in the cache, [vocab].
  void take_logits(const float* row) noexcept;
  // Guesses of the next tokens, at most `room` and as many as the context has room for; none without a proposer.
  std::span<const TokenId> propose(std::size_t room) noexcept;
  // Draws the next token; false when generation ends with it. Throws Error{corrupt_file} when the logits are not numbers, and
  // what the logits hook throws; nothing was drawn then.
  bool draw(SamplerScratch& scratch);

  const std::shared_ptr<const Model::Impl> model;
  const std::int64_t context;
  nn::KvCache cache;
  Sampler sampler;
  GeneratedText text;
  const bool traces;
  std::int32_t top_logprobs;
  std::vector<TokenId> stop_tokens;

  std::vector<TokenId> tokens;
  std::int64_t computed = 0;
  std::int64_t drawn = -1;    // where the last generated token stands
  std::vector<float> logits;  // [vocab] after the last token in the cache
  bool logits_valid = false;
  std::vector<TokenId> new_tokens;     // generated, not taken
  std::vector<TokenLogprob> logprobs;  // likewise, 1 + top_logprobs for each
  std::vector<Route> routes;           // traced, not taken
  RouteCounter totals;
  StopReason stopped = StopReason::none;
  std::vector<model::LayerSteering> steering;  // [layers], or empty
  LogitsHook logits_hook;
  Proposer proposer = nullptr;
  void* proposer_source = nullptr;
  CancelFlag cancelled{false};
  Turn* under_way = nullptr;  // whose pass under way has rows of this timeline
  Turn* joint = nullptr;      // of the batch that this timeline is a member of

  // More rows of one sequence may round differently than one alone.
  static constexpr std::size_t kMostGuesses = 6;

 private:
  void reserve();
  // Throws Error{corrupt_file} when the model's logits cannot be drawn from.
  void check_logits() const;
  // What the hook makes of the logits. Throws what the hook throws, and Error{callback_failed} when it leaves nothing to draw.
  std::span<const float> call_hook(SamplerScratch& scratch) const;

  std::array<TokenId, kMostGuesses> guesses_{};
};

}  // namespace fathom
