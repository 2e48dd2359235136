// A session: one timeline of tokens with its cache, its sampler and its pending output.
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
  float logprob = 0.0f;  // natural logarithm of the softmax of the logits, before penalties, temperature and filters
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
  std::int64_t max_new_tokens = 1;  // return after so many generated tokens; 0: only take in what was appended
  // Called for every position taken in during this step with the logits that predict the next one, [vocab]. Costs one
  // product with the output head for each position.
  std::function<void(std::int64_t position, std::span<const float> logits)> on_logits = {};
};

// Where the time of steps went, in microseconds, by kind of work.
struct PartTimes {
  double attention_us = 0;  // projections and the cache included
  double router_us = 0;
  double experts_us = 0;  // routed and shared
  double mlp_us = 0;      // of dense layers
  double head_us = 0;
  double other_us = 0;  // embedding, norms
};

using LogitsHook = std::function<void(std::int64_t position, std::span<float> logits)>;

struct StepResult {
  StopReason stop = StopReason::none;
  std::int64_t prompt_tokens = 0;  // appended tokens taken in during this step
  std::int64_t new_tokens = 0;     // tokens generated during this step
  std::int64_t queued_tokens = 0;  // appended tokens still waiting (a budget ended the step)
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

  // Queues tokens behind what is there; nothing is computed. Throws Error{invalid_argument} for an id outside the
  // vocabulary and Error{context_full} when they do not fit; then nothing was queued.
  // Ends a stop: generation goes on after it.
  void append(std::span<const TokenId> tokens);

  // Works: takes in what is queued, then generates. Throws Error{wrong_state} when there is nothing to go on from.
  // A step that finds all scratch memory in use by other steps, under way or paused by their budgets, takes more for itself;
  // throws Error{out_of_memory}, with the session as it was, where there is none.
  // Throws Error{corrupt_file} with position and count when the model's logits are NaN or infinite. Nothing is drawn from them,
  // and the session can be rewound.
  StepResult step(const StepOptions& options = {});

  // Generated since the last call: whole characters only; stop tokens and stop strings are not part of it. When a stop
  // string may just be beginning, its text is held back until that is decided.
  std::string take_text();
  std::vector<TokenId> take_tokens();
  // For each token generated since the last call a group of 1 + top_logprobs: the token itself, then the likeliest by falling
  // probability. Throws Error{wrong_state} without top_logprobs.
  std::vector<TokenLogprob> take_logprobs();
  // Routing decisions since the last call, by position, then layer; none for a model without experts. Throws
  // Error{wrong_state} without trace_routes.
  std::vector<Route> take_routes();
  // What a layer's experts did since the session was made or reset; empty for a dense layer. Valid until the next step. Throws
  // Error{wrong_state} without count_routes, Error{invalid_argument} for a layer there is not.
  const RouteTotals& route_totals(std::int64_t layer) const;

  // What the take_ functions above would return, left where it is; valid until the next call that is not const.
  std::string_view untaken_text() const;
  std::span<const TokenId> untaken_tokens() const noexcept;
  std::span<const TokenLogprob> untaken_logprobs() const;
  std::span<const Route> untaken_routes() const;

  // Logits after the last token taken in, [vocab]; valid until the next call. Throws Error{wrong_state} before the first.
  std::span<const float> logits() const;

  // Since the session was made, resets included; what a batch did for it is in the batch's.
  PartTimes part_times() const noexcept;

  std::span<const TokenId> tokens() const noexcept;  // the whole timeline, queued ones included
  std::int64_t context_length() const noexcept;

  // Forgets everything but the options; ready for a new text.
  void reset();
  // Keeps the first `length` tokens and forgets the rest, and all output that was not taken. Throws Error{invalid_argument}
  // when there are fewer, Error{out_of_memory} when it shares memory with a fork and there is none for its own; the session
  // is then as it was.
  void rewind(std::int64_t length);
  // Makes `tokens` the timeline: what it shares with the present one from the beginning is kept, the rest is queued. Returns
  // how many tokens were kept. Throws as rewind and append do; the session is then as it was.
  std::int64_t sync(std::span<const TokenId> tokens);
  // A second session that goes on from here with the same options: the cache so far is shared, not copied. Output that was
  // not taken stays with this one. Throws Error{out_of_memory}.
  Session fork() const;
  void set_sampling(const SamplingOptions& sampling);
  void set_stop(const StopOptions& stop);

  // The state as bytes, saved_bytes() of them in all: timeline, cache, logits, sampler, stops, output that was not taken.
  // Traced routes and totals are not part of it. Exceptions of `write` pass through. Throws as `write` does.
  void save(const std::function<void(std::span<const std::byte>)>& write) const;
  std::int64_t saved_bytes() const;
  // Makes this session what was saved; it goes on with the same bits. `read` fills the whole span or throws. The new cache is
  // filled beside the old one, and nothing changes before the checksum was right. Throws Error{corrupt_file} for other bytes,
  // Error{invalid_argument} for another model's or another cache format, Error{context_full} for a longer one than fits, and
  // Error{out_of_memory}.
  void restore(const std::function<void(std::span<std::byte>)>& read);

  // Experimental: may change with any version. They hold until they are changed, over reset() too; fork() takes them along,
  // save() does not.
  //
  // Called before each token is drawn with the logits it is drawn from, [vocab], to edit. An exception fails the step; the next
  // one calls again. Steps throw Error{callback_failed} when it leaves a NaN, or no token above minus infinity. An empty
  // function removes it.
  void set_logits_hook(LogitsHook hook);
  // Experts of a layer that may be chosen, [experts], 0 for those that may not; empty: all. Throws Error{invalid_argument} when
  // fewer than experts_per_token are left, or the layer has none.
  void mask_experts(std::int64_t layer, std::span<const std::uint8_t> allowed);
  // The experts of a layer that every token takes, [experts_per_token]; empty: the router's. Throws Error{invalid_argument}.
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
