#include "fathom/session.hpp"

#include <algorithm>
#include <utility>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "model/forward.hpp"
#include "nn/kv_cache.hpp"
#include "run/generated_text.hpp"
#include "run/model_impl.hpp"
#include "run/sampler.hpp"
#include "run/session_defaults.hpp"
#include "run/tokenizer_impl.hpp"

namespace fathom {
namespace {

std::int64_t choose_context(const SessionOptions& options, const ModelInfo& info) {
  if (options.context_length == 0) return std::min(info.context_length, kDefaultContext);
  if (options.context_length < 1 || options.context_length > info.context_length) {
    fail(Status::invalid_argument, "context_length is {}, expected 1 to {}, or 0 for a default", options.context_length,
         info.context_length);
  }
  return options.context_length;
}

std::int64_t choose_rows(const SessionOptions& options, std::int64_t context) {
  if (options.chunk_rows < 1 || options.chunk_rows > kMaxChunkRows) {
    fail(Status::invalid_argument, "chunk_rows is {}, expected 1 to {}", options.chunk_rows, kMaxChunkRows);
  }
  return std::min<std::int64_t>(options.chunk_rows, context);
}

const text::Tokenizer* text_tokenizer(const Model::Impl& model) {
  return model.tokenizer ? model.tokenizer->impl()->tokenizer.get() : nullptr;
}

void check_tokens(std::span<const TokenId> tokens, std::int64_t vocab_size) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocab_size) {
      fail(Status::invalid_argument, "token {} of those appended is {}, expected 0 to {}", i, tokens[i], vocab_size - 1);
    }
  }
}

std::int64_t usable_vocab(const Model::Impl& model) {
  const text::Tokenizer* tokenizer = text_tokenizer(model);
  return tokenizer ? tokenizer->vocab_size() : model.info.vocab_size;
}

}  // namespace

// A timeline of tokens of which the first `computed` are in the cache. What a step works on next follows from these:
// queued tokens go through the body in chunks; after the last one the head gives logits; from those a token is drawn.
struct Session::Impl {
  Impl(std::shared_ptr<const Model::Impl> model_, const SessionOptions& options)
      : model(std::move(model_)),
        context(choose_context(options, model->info)),
        chunk_rows(choose_rows(options, context)),
        cache(model->network->cache_shape(cache_storage(options.cache, *model->network)), context, *model->runtime->allocator),
        pass(*model->network, chunk_rows, kLogitRows, model->runtime->tasks->concurrency(), *model->runtime->allocator),
        sampler(model->info.vocab_size, usable_vocab(*model)),
        text(text_tokenizer(*model)),
        traces(options.trace_routes && model->info.experts > 0) {
    tokens.reserve(std::size_t(context));
    new_tokens.reserve(std::size_t(context));
    if (traces) pass.trace_routes(*model->runtime->allocator);
    sampler.configure(options.sampling);
    set_stop(options.stop);
  }

  // Goes on where `other` stands; what is computed is shared.
  explicit Impl(const Impl& other)
      : model(other.model),
        context(other.context),
        chunk_rows(other.chunk_rows),
        cache(other.cache.fork(other.settled())),
        pass(*model->network, chunk_rows, kLogitRows, model->runtime->tasks->concurrency(), *model->runtime->allocator),
        sampler(other.sampler),
        text(other.text),
        traces(other.traces),
        stop_tokens(other.stop_tokens),
        computed(other.settled()),
        drawn(other.drawn),
        logits_valid(other.logits_valid),
        stopped(other.stopped) {
    tokens.reserve(std::size_t(context));
    tokens = other.tokens;
    new_tokens.reserve(std::size_t(context));
    text.drop_untaken();
    if (traces) pass.trace_routes(*model->runtime->allocator);
    if (logits_valid) pass.adopt_logits(other.pass.logits().row(0));
  }

  void rewind(std::int64_t length);

  void set_stop(const StopOptions& options) {
    for (const std::string& stop : options.strings) {
      if (stop.empty()) fail(Status::invalid_argument, "a stop string is empty");
    }
    if (!options.strings.empty() && !model->tokenizer) {
      fail(Status::invalid_argument, "stop strings need text, and {} has no tokenizer", model->info.path);
    }
    std::vector<TokenId> stops = options.tokens;
    if (options.at_stop_tokens) stops.insert(stops.end(), model->stop_tokens.begin(), model->stop_tokens.end());
    text.set_stop_strings(options.strings);
    stop_tokens = std::move(stops);
  }

  // Tokens that need not go through the model again: all computed ones, unless the logits of the last are still to come.
  std::int64_t settled() const { return logits_valid || queued() > 0 || computed == 0 ? computed : computed - 1; }
  std::int64_t queued() const { return std::int64_t(tokens.size()) - computed; }
  std::int64_t queued_appended() const { return queued() - (drawn >= computed); }

  // One run of the pass to its end; false when it paused.
  bool advance(const Deadline& deadline) { return pass.advance(*model->runtime->tasks, deadline, cancelled); }

  bool take_in_queue(const StepOptions& options, const Deadline& deadline, StepResult& result);
  bool report_logits(const StepOptions& options, const Deadline& deadline);
  void keep_routes();
  bool draw(StepResult& result);

  std::shared_ptr<const Model::Impl> model;
  std::int64_t context;
  std::int64_t chunk_rows;
  nn::KvCache cache;
  model::Pass pass;
  Sampler sampler;
  GeneratedText text;
  bool traces;
  std::vector<TokenId> stop_tokens;

  std::vector<TokenId> tokens;
  std::int64_t computed = 0;
  std::int64_t drawn = -1;            // where the last generated token stands
  enum class Doing { nothing, body, head } doing = Doing::nothing;
  model::RowSpan span;                // of the chunk under way
  std::int64_t reported = 0;          // rows of the chunk whose logits were reported
  bool logits_valid = false;
  std::vector<TokenId> new_tokens;    // generated, not taken
  std::vector<Route> routes;          // traced, not taken
  StopReason stopped = StopReason::none;
  CancelFlag cancelled{false};
};

// The last token kept goes through the model again, because its logits are needed and are no longer there.
void Session::Impl::rewind(std::int64_t length) {
  const std::int64_t kept = std::min(computed, std::max<std::int64_t>(length - 1, 0));
  cache.rewind(kept);
  pass.stop();
  doing = Doing::nothing;
  tokens.resize(std::size_t(length));
  computed = kept;
  drawn = -1;
  logits_valid = false;
  new_tokens.clear();
  routes.clear();
  text.reset();
  stopped = StopReason::none;
}

// Copies the routes of the finished chunk out of the pass.
void Session::Impl::keep_routes() {
  const model::Config& c = model->network->config;
  for (std::int64_t row = 0; row < span.rows; ++row) {
    std::int64_t index = 0;
    for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
      if (!c.is_moe(layer)) continue;
      const auto ids = pass.traced_ids(index, row);
      const auto weights = pass.traced_weights(index, row);
      routes.push_back({span.first_position + row, std::int32_t(layer), {ids.begin(), ids.end()}, {weights.begin(), weights.end()}});
      ++index;
    }
  }
}

// Logits of every row of the chunk, a few at a time. False when paused.
bool Session::Impl::report_logits(const StepOptions& options, const Deadline& deadline) {
  while (reported < span.rows) {
    const std::int64_t count = std::min(kLogitRows, span.rows - reported);
    if (!pass.running() || pass.head_first != reported) pass.begin_head(reported, count);
    if (!advance(deadline)) return false;
    for (std::int64_t i = 0; i < count; ++i) {
      options.on_logits(span.first_position + reported + i,
                        {pass.logits().row(i), std::size_t(model->info.vocab_size)});
    }
    reported += count;
  }
  return true;
}

// Takes in all that is queued and leaves the logits of the last token. False when paused.
bool Session::Impl::take_in_queue(const StepOptions& options, const Deadline& deadline, StepResult& result) {
  for (;;) {
    if (doing == Doing::nothing) {
      if (queued() == 0) return true;
      span = {&cache, computed, 0, std::min(chunk_rows, queued())};
      reported = 0;
      logits_valid = false;
      pass.begin({&span, 1}, {tokens.data() + computed, std::size_t(span.rows)});
      doing = Doing::body;
    }
    if (doing == Doing::body) {
      if (!advance(deadline)) return false;
      computed += span.rows;
      result.prompt_tokens += span.rows - (drawn >= span.first_position && drawn < computed);
      doing = Doing::head;  // before anything that may throw: the chunk is in the cache
      if (traces) keep_routes();
    }
    if (options.on_logits) {
      if (!report_logits(options, deadline)) return false;
    }
    if (queued() == 0) {
      if (!pass.running() || pass.head_first != span.rows - 1) pass.begin_head(span.rows - 1, 1);
      if (!advance(deadline)) return false;
      logits_valid = true;
    }
    doing = Doing::nothing;
  }
}

// Draws the next token from the logits; false when generation ends with it.
bool Session::Impl::draw(StepResult& result) {
  if (std::int64_t(tokens.size()) >= context) {
    stopped = StopReason::context_full;
    return false;
  }
  const std::span<const float> last{pass.logits().row(0), std::size_t(model->info.vocab_size)};
  const TokenId id = sampler.sample(last, tokens);
  drawn = std::int64_t(tokens.size());
  tokens.push_back(id);
  ++result.new_tokens;
  if (std::find(stop_tokens.begin(), stop_tokens.end(), id) != stop_tokens.end()) {
    stopped = StopReason::stop_token;
    return false;
  }
  new_tokens.push_back(id);
  if (text.push(id)) {
    stopped = StopReason::stop_string;
    return false;
  }
  return true;
}

Session::Session(const Model& model, const SessionOptions& options) : impl_(std::make_unique<Impl>(model.impl(), options)) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::append(std::span<const TokenId> added) {
  Impl& s = *impl_;
  check_tokens(added, s.model->info.vocab_size);
  if (std::int64_t(added.size()) > s.context - std::int64_t(s.tokens.size())) {
    fail(Status::context_full, "{} tokens do not fit: {} of {} are taken", added.size(), s.tokens.size(), s.context);
  }
  if (added.empty()) return;
  s.tokens.insert(s.tokens.end(), added.begin(), added.end());
  if (s.stopped != StopReason::none) s.text.resume();
  s.stopped = StopReason::none;
}

StepResult Session::step(const StepOptions& options) {
  Impl& s = *impl_;
  if (options.max_new_tokens < 0) fail(Status::invalid_argument, "max_new_tokens is {}, expected 0 or more", options.max_new_tokens);
  if (s.tokens.empty()) fail(Status::wrong_state, "there is nothing to go on from: append tokens first");
  StepResult result;
  const Deadline deadline = Deadline::after_us(options.budget_us);
  const auto finish = [&](StopReason stop) {
    if (stop != StopReason::none && stop != StopReason::cancelled) s.text.finish();
    result.stop = stop;
    result.queued_tokens = s.queued_appended();
    result.longest_unit_us = s.pass.take_longest_unit_us();
    return result;
  };
  if (s.stopped != StopReason::none) return finish(s.stopped);

  for (;;) {
    if (s.cancelled.exchange(false)) return finish(StopReason::cancelled);
    if (!s.take_in_queue(options, deadline, result)) {
      return finish(s.cancelled.exchange(false) ? StopReason::cancelled : StopReason::none);
    }
    if (result.new_tokens >= options.max_new_tokens) return finish(StopReason::none);
    if (!s.draw(result)) return finish(s.stopped);
    if (result.new_tokens >= options.max_new_tokens) return finish(StopReason::none);
  }
}

std::string Session::take_text() { return impl_->text.take(); }
std::vector<TokenId> Session::take_tokens() {
  std::vector<TokenId> taken = impl_->new_tokens;  // a copy: steps go on in the memory they have
  impl_->new_tokens.clear();
  return taken;
}
std::vector<Route> Session::take_routes() { return std::exchange(impl_->routes, {}); }

std::span<const float> Session::logits() const {
  const Impl& s = *impl_;
  if (!s.logits_valid) fail(Status::wrong_state, "there are no logits: step until no token is queued");
  return {s.pass.logits().row(0), std::size_t(s.model->info.vocab_size)};
}

std::span<const TokenId> Session::tokens() const noexcept { return impl_->tokens; }
std::int64_t Session::context_length() const noexcept { return impl_->context; }

void Session::reset() {
  Impl& s = *impl_;
  s.pass.stop();
  s.tokens.clear();
  s.computed = 0;
  s.drawn = -1;
  s.doing = Impl::Doing::nothing;
  s.logits_valid = false;
  s.new_tokens.clear();
  s.routes.clear();
  s.text.reset();
  s.sampler.restart();
  s.stopped = StopReason::none;
  s.cancelled = false;
}

void Session::rewind(std::int64_t length) {
  Impl& s = *impl_;
  if (length < 0 || length > std::int64_t(s.tokens.size())) {
    fail(Status::invalid_argument, "cannot rewind to {} tokens: there are {}", length, s.tokens.size());
  }
  if (length < std::int64_t(s.tokens.size())) s.rewind(length);
}

std::int64_t Session::sync(std::span<const TokenId> timeline) {
  Impl& s = *impl_;
  const auto shared = std::mismatch(timeline.begin(), timeline.end(), s.tokens.begin(), s.tokens.end());
  const std::int64_t kept = shared.first - timeline.begin();
  check_tokens(timeline, s.model->info.vocab_size);
  if (std::int64_t(timeline.size()) > s.context) {
    fail(Status::context_full, "{} tokens do not fit: the context is {}", timeline.size(), s.context);
  }
  rewind(kept);
  append(timeline.subspan(std::size_t(kept)));
  return kept;
}

Session Session::fork() const {
  return Session(std::make_unique<Impl>(*impl_));
}

void Session::set_sampling(const SamplingOptions& sampling) { impl_->sampler.configure(sampling); }
void Session::set_stop(const StopOptions& stop) { impl_->set_stop(stop); }
void Session::cancel() noexcept { impl_->cancelled = true; }

}  // namespace fathom
