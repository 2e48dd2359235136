// A session: one timeline of tokens with its cache, its sampler and its unread output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/model.hpp"
#include "fathom/routing.hpp"
#include "fathom/sampling.hpp"

namespace fathom {

struct SessionOptions {
  std::int64_t context_length = 0;             // tokens it can hold; 0: the model's, at most 8,192
  CacheFormat cache = CacheFormat::automatic;  // f16 overflows above 65,504
  std::int32_t chunk_rows = 512;               // at most so many prompt tokens go through the model together
  bool trace_routes = false;                   // keep the experts' choice for every token; see Session::take_routes
  bool count_routes = false;                   // keep totals of the experts' choices; see Session::route_totals
  std::int32_t top_logprobs = 0;               // keep so many, 1 to 20, of the likeliest tokens; see Session::take_logprobs
  SamplingOptions sampling;
  StopOptions stop;
};

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0.0f;  // natural logarithm of the probability before penalties, temperature and filters
};

enum class StopReason : std::int32_t {
  none = 0,        // not stopped: step again
  stop_token = 1,  // the model ended its turn
  stop_string = 2,
  context_full = 3,
  cancelled = 4,
};

struct StepOptions {
  std::int64_t budget_us = 0;       // return after about this long; 0: no limit
  std::int64_t max_new_tokens = 1;  // return after this many generated tokens; 0: only process appended tokens
  // Called for every position processed in this step, with the logits of the next token, [vocab]. Costs one product with the
  // output head for each position.
  std::function<void(std::int64_t position, std::span<const float> logits)> on_logits = {};
};

// The time of steps by kind of work, in microseconds.
struct PartTimes {
  double attention_us = 0;  // with projections and the cache
  double router_us = 0;
  double experts_us = 0;  // routed and shared
  double mlp_us = 0;      // of dense layers
  double head_us = 0;
  double other_us = 0;  // embedding, norms
};

using LogitsHook = std::function<void(std::int64_t position, std::span<float> logits)>;

struct StepResult {
  StopReason stop = StopReason::none;
  std::int64_t prompt_tokens = 0;  // appended tokens processed in this step
  std::int64_t new_tokens = 0;     // tokens generated in this step
  std::int64_t queued_tokens = 0;  // appended tokens still queued, because the budget ended
  double longest_unit_us = 0;      // the longest piece of work that could not be interrupted
};

// Not thread-safe, except cancel(). Owns its cache and keeps its model alive. Steps work in scratch memory of the model, which
// all its sessions share: an idle session holds none.
class Session {
 public:
  // All memory is sized and taken here, and scratch memory for one step at a time. Throws Error.
  Session(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Queues tokens at the end of the timeline and computes nothing. Throws Error{invalid_argument} for an id outside the
  // vocabulary and Error{context_full} when they do not fit; then none is queued. It ends a stop: the next step generates
  // again.
  void append(std::span<const TokenId> tokens);

  // Works: takes in what is queued, then generates. Throws Error{wrong_state} when there is nothing to go on from.
  // A step that finds all scratch memory in use by other steps, under way or paused by their budgets, takes more for itself;
  // throws Error{out_of_memory}, with the session as it was, where there is none.
  // Throws Error{corrupt_file} with position and count when the model's logits are NaN or infinite. Nothing is drawn from them,
  // and the session can be rewound.
  StepResult step(const StepOptions& options = {});

  // The text generated since the last call: whole characters, without stop tokens and stop strings. Text that may begin a stop
  // string waits until that is decided.
  std::string take_text();
  // The tokens generated since the last call.
  std::vector<TokenId> take_tokens();
  // Log-probabilities of the tokens generated since the last call, in groups of 1 + top_logprobs: the token itself, then the
  // likeliest tokens in falling order. Throws Error{wrong_state} without top_logprobs.
  std::vector<TokenLogprob> take_logprobs();
  // Choices of experts since the last call, ordered by position, then layer; none for a model without experts. Throws
  // Error{wrong_state} without trace_routes.
  std::vector<Route> take_routes();
  // Totals of a layer since the session was made or reset; empty for a dense layer. Valid until the next step. Throws
  // Error{wrong_state} without count_routes, Error{invalid_argument} for a layer that does not exist.
  const RouteTotals& route_totals(std::int64_t layer) const;

  // The same as the take_ functions, without taking it. Valid until the next call that is not const.
  std::string_view untaken_text() const;
  std::span<const TokenId> untaken_tokens() const noexcept;
  std::span<const TokenLogprob> untaken_logprobs() const;
  std::span<const Route> untaken_routes() const;

  // Logits after the last processed token, [vocab]; valid until the next call. Throws Error{wrong_state} while there are none.
  std::span<const float> logits() const;

  // Times since the session was made, over resets. Work of a batch counts in Batch::part_times.
  PartTimes part_times() const noexcept;

  std::span<const TokenId> tokens() const noexcept;  // the whole timeline, with queued tokens
  std::int64_t context_length() const noexcept;

  // Drops the timeline and untaken output. Keeps the options.
  void reset();
  // Keeps the first `length` tokens. Drops the rest and untaken output. Throws Error{invalid_argument} when there are fewer
  // tokens, and Error{out_of_memory} when there is no memory to separate from a fork; the session is then as it was.
  void rewind(std::int64_t length);
  // Makes `tokens` the timeline. The common beginning with the present timeline is kept, and the rest is queued. Returns the
  // number of tokens kept. Throws as rewind and append do; the session is then as it was.
  std::int64_t sync(std::span<const TokenId> tokens);
  // A second session that continues from here with the same options. Both share the cache so far. Untaken output stays with
  // this session. Throws Error{out_of_memory}.
  Session fork() const;
  // Replaces sampling options. The random sequence restarts at the seed.
  void set_sampling(const SamplingOptions& sampling);
  void set_stop(const StopOptions& stop);

  // Writes the state, saved_bytes() in all: timeline, cache, logits, sampler, stops, untaken output. Traced routes and totals
  // are not part of it. Exceptions of `write` pass through.
  void save(const std::function<void(std::span<const std::byte>)>& write) const;
  std::int64_t saved_bytes() const;
  // Restores a saved state, and the session continues with the same bits. `read` fills the whole span or throws. The new cache
  // is filled beside the old one, and nothing changes before the checksum is right. Throws Error{corrupt_file} for other bytes,
  // Error{invalid_argument} for a state of another model or cache format, Error{context_full} for a state that does not fit,
  // and Error{out_of_memory}.
  void restore(const std::function<void(std::span<std::byte>)>& read);

  // Experimental: may change with any version. They hold until they are changed, over reset() too; fork() takes them along,
  // save() does not.
  //
  // Called before each token is drawn with the logits it is drawn from, [vocab], to edit. An exception fails the step; the next
  // one calls again. Steps throw Error{callback_failed} when it leaves a NaN, or no token above minus infinity. An empty
  // function removes it.
  void set_logits_hook(LogitsHook hook);
  // Sets which experts of a layer may be chosen, [experts], 0 for a forbidden one; empty: all. Throws Error{invalid_argument}
  // when fewer than experts_per_token are left, or the layer has no experts.
  void mask_experts(std::int64_t layer, std::span<const std::uint8_t> allowed);
  // Sets the experts of a layer that every token takes, [experts_per_token]; empty: the router chooses. Throws
  // Error{invalid_argument}.
  void force_experts(std::int64_t layer, std::span<const std::int32_t> experts);

  // A step under way drops its chunk and returns soon with StopReason::cancelled; without one, the next step does, unless an
  // append, sync, rewind, reset or restore comes first. From any thread, and from a signal handler.
  void cancel() noexcept;

  struct Impl;

 private:
  friend class Batch;
  explicit Session(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom
