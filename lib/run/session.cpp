#include "fathom/session.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/task_system.hpp"
#include "run/batch_impl.hpp"
#include "run/logprobs.hpp"
#include "run/part_times.hpp"
#include "run/session_defaults.hpp"
#include "run/session_impl.hpp"
#include "run/tokenizer_impl.hpp"

namespace fathom {
namespace {

const text::Tokenizer* text_tokenizer(const Model::Impl& model) {
  return model.tokenizer ? model.tokenizer->impl()->tokenizer.get() : nullptr;
}

std::int64_t usable_vocab(const Model::Impl& model) {
  const text::Tokenizer* tokenizer = text_tokenizer(model);
  return tokenizer ? tokenizer->vocab_size() : model.info.vocab_size;
}

}  // namespace

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

std::int32_t choose_top_logprobs(const SessionOptions& options) {
  if (options.top_logprobs < 0 || options.top_logprobs > kMaxTopLogprobs) {
    fail(Status::invalid_argument, "top_logprobs is {}, expected 0 to {}", options.top_logprobs, kMaxTopLogprobs);
  }
  return options.top_logprobs;
}

void check_tokens(std::span<const TokenId> tokens, std::int64_t vocab_size) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocab_size) {
      fail(Status::invalid_argument, "token {} of those appended is {}, expected 0 to {}", i, tokens[i], vocab_size - 1);
    }
  }
}

Session::Impl::Impl(std::shared_ptr<const Model::Impl> model_, const SessionOptions& options)
    : model(std::move(model_)),
      context(choose_context(options, model->info)),
      chunk_rows(choose_rows(options, context)),
      cache(model->network->cache_shape(cache_storage(options.cache, *model->network)), context, *model->runtime->allocator),
      pass(*model->network, chunk_rows, kLogitRows, model->runtime->tasks->concurrency(), *model->runtime->allocator),
      sampler(model->info.vocab_size, usable_vocab(*model)),
      text(text_tokenizer(*model)),
      traces(options.trace_routes),
      top_logprobs(choose_top_logprobs(options)) {
  if (options.count_routes) totals = RouteCounter(model->network->config);
  reserve();
  sampler.configure(options.sampling);
  set_stop(options.stop);
}

Session::Impl::Impl(const Impl& other)
    : model(other.model),
      context(other.context),
      chunk_rows(other.chunk_rows),
      cache(other.cache.fork(other.settled())),
      pass(*model->network, chunk_rows, kLogitRows, model->runtime->tasks->concurrency(), *model->runtime->allocator),
      sampler(other.sampler),
      text(other.text),
      traces(other.traces),
      top_logprobs(other.top_logprobs),
      stop_tokens(other.stop_tokens),
      computed(other.settled()),
      drawn(other.drawn),
      logits_valid(other.logits_valid),
      totals(other.totals),
      stopped(other.stopped),
      steering(other.steering),
      logits_hook(other.logits_hook),
      hooked_logits(other.hooked_logits) {
  reserve();
  tokens = other.tokens;
  text.drop_untaken();
  if (logits_valid) pass.adopt_logits(other.pass.logits().row(0));
}

Session::Impl::~Impl() {
  if (batch) batch->forget(*this);
}

// What grows while stepping gets its room here.
void Session::Impl::reserve() {
  tokens.reserve(std::size_t(context));
  new_tokens.reserve(std::size_t(context));
  if (top_logprobs > 0) logprobs.reserve(std::size_t(context * (1 + top_logprobs)));
  if (follows_routes()) pass.trace_routes(*model->runtime->allocator);
}

void Session::Impl::set_stop(const StopOptions& options) {
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

void Session::Impl::leave_joint_pass() noexcept {
  if (batch) batch->settle();
}

// The last token kept goes through the model again, because its logits are needed and are no longer there.
void Session::Impl::rewind(std::int64_t length) {
  leave_joint_pass();
  const std::int64_t kept = std::min(computed, std::max<std::int64_t>(length - 1, 0));
  cache.rewind(kept);
  pass.stop();
  doing = Doing::nothing;
  tokens.resize(std::size_t(length));
  computed = kept;
  drawn = -1;
  logits_valid = false;
  new_tokens.clear();
  logprobs.clear();
  routes.clear();
  text.reset();
  stopped = StopReason::none;
}

void Session::Impl::keep_routes(const model::Pass& ran, const model::RowSpan& chunk) {
  const model::Config& c = model->network->config;
  for (std::int64_t i = 0; i < chunk.rows; ++i) {
    std::int64_t index = 0;
    for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
      if (!c.is_moe(layer)) continue;
      const auto ids = ran.traced_ids(index, chunk.first_row + i);
      const auto weights = ran.traced_weights(index, chunk.first_row + i);
      totals.count(layer, ids, weights);
      if (traces) {
        routes.push_back(
            {chunk.first_position + i, std::int32_t(layer), {ids.begin(), ids.end()}, {weights.begin(), weights.end()}});
      }
      ++index;
    }
  }
}

std::int64_t Session::Impl::take_in(const model::RowSpan& chunk) {
  computed += chunk.rows;
  return chunk.rows - (drawn >= chunk.first_position && drawn < computed);
}

// Logits of every row of the chunk, a few at a time. False when paused.
bool Session::Impl::report_logits(const StepOptions& options, const Deadline& deadline) {
  while (reported < span.rows) {
    const std::int64_t count = std::min(kLogitRows, span.rows - reported);
    if (!pass.running() || pass.head_first != reported) pass.begin_head(reported, count);
    if (!advance(deadline)) return false;
    for (std::int64_t i = 0; i < count; ++i) {
      options.on_logits(span.first_position + reported + i, {pass.logits().row(i), std::size_t(model->info.vocab_size)});
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
      span = {&cache, computed, 0, std::min(chunk_rows, queued()), steering_or_null()};
      reported = 0;
      logits_valid = false;
      pass.begin({&span, 1}, {tokens.data() + computed, std::size_t(span.rows)});
      doing = Doing::body;
    }
    if (doing == Doing::body) {
      if (!advance(deadline)) return false;
      result.prompt_tokens += take_in(span);
      doing = Doing::head;  // before anything that may throw: the chunk is in the cache
      if (follows_routes()) keep_routes(pass, span);
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

model::LayerSteering& Session::Impl::change_steering(std::int64_t layer) {
  if (layer < 0 || layer >= model->info.layers || !model->network->config.is_moe(layer)) {
    fail(Status::invalid_argument, "layer {} has no experts to choose from", layer);
  }
  steering.resize(std::size_t(model->info.layers));
  leave_joint_pass();
  if (doing == Doing::body) {
    pass.stop();
    doing = Doing::nothing;
  }
  return steering[std::size_t(layer)];
}

StepResult Session::Impl::finish(StopReason stop, StepResult result) {
  if (stop != StopReason::none && stop != StopReason::cancelled) text.finish();
  result.stop = stop;
  result.queued_tokens = queued_appended();
  result.longest_unit_us = pass.take_longest_unit_us();
  return result;
}

// Draws the next token from the logits; false when generation ends with it.
bool Session::Impl::draw(StepResult& result) {
  if (std::int64_t(tokens.size()) >= context) {
    stopped = StopReason::context_full;
    return false;
  }
  const std::span<const float> last{pass.logits().row(0), std::size_t(model->info.vocab_size)};
  if (logits_hook) {
    std::ranges::copy(last, hooked_logits.begin());
    logits_hook(std::int64_t(tokens.size()), hooked_logits);
  }
  const TokenId id = sampler.sample(logits_hook ? std::span<const float>(hooked_logits) : last, tokens);
  drawn = std::int64_t(tokens.size());
  tokens.push_back(id);
  ++result.new_tokens;
  if (top_logprobs > 0) append_logprobs(last.first(std::size_t(usable_vocab(*model))), id, top_logprobs, logprobs);
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
  if (options.max_new_tokens < 0)
    fail(Status::invalid_argument, "max_new_tokens is {}, expected 0 or more", options.max_new_tokens);
  if (s.tokens.empty()) fail(Status::wrong_state, "there is nothing to go on from: append tokens first");
  s.leave_joint_pass();
  StepResult result;
  const Deadline deadline = Deadline::after_us(options.budget_us);
  const auto finish = [&](StopReason stop) { return s.finish(stop, result); };
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

std::string_view Session::untaken_text() const { return impl_->text.ready(); }
std::span<const TokenId> Session::untaken_tokens() const noexcept { return impl_->new_tokens; }
std::span<const TokenLogprob> Session::untaken_logprobs() const {
  if (impl_->top_logprobs == 0) fail(Status::wrong_state, "this session keeps no probabilities: top_logprobs is 0");
  return impl_->logprobs;
}
std::span<const Route> Session::untaken_routes() const {
  if (!impl_->traces) fail(Status::wrong_state, "this session keeps no routes: trace_routes is off");
  return impl_->routes;
}

// Tokens and probabilities are copied out: steps go on in the memory they have.
std::string Session::take_text() { return impl_->text.take(); }
std::vector<TokenId> Session::take_tokens() {
  const auto untaken = untaken_tokens();
  std::vector<TokenId> taken(untaken.begin(), untaken.end());
  impl_->new_tokens.clear();
  return taken;
}
std::vector<TokenLogprob> Session::take_logprobs() {
  const auto untaken = untaken_logprobs();
  std::vector<TokenLogprob> taken(untaken.begin(), untaken.end());
  impl_->logprobs.clear();
  return taken;
}
std::vector<Route> Session::take_routes() {
  untaken_routes();  // refuses where there are none to take
  return std::exchange(impl_->routes, {});
}
const RouteTotals& Session::route_totals(std::int64_t layer) const {
  const Impl& s = *impl_;
  if (!s.totals.counts()) fail(Status::wrong_state, "this session counts no routes: count_routes is off");
  if (layer < 0 || layer >= s.model->info.layers) {
    fail(Status::invalid_argument, "layer is {}, expected 0 to {}", layer, s.model->info.layers - 1);
  }
  return s.totals.layer(layer);
}

std::span<const float> Session::logits() const {
  const Impl& s = *impl_;
  if (!s.logits_valid) fail(Status::wrong_state, "there are no logits: step until no token is queued");
  return {s.pass.logits().row(0), std::size_t(s.model->info.vocab_size)};
}

PartTimes Session::part_times() const noexcept { return name_parts(impl_->pass.part_us()); }

std::span<const TokenId> Session::tokens() const noexcept { return impl_->tokens; }
std::int64_t Session::context_length() const noexcept { return impl_->context; }

void Session::reset() {
  Impl& s = *impl_;
  s.leave_joint_pass();
  s.pass.stop();
  s.totals.clear();
  s.logprobs.clear();
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

Session Session::fork() const { return Session(std::make_unique<Impl>(*impl_)); }

void Session::set_sampling(const SamplingOptions& sampling) { impl_->sampler.configure(sampling); }
void Session::set_stop(const StopOptions& stop) { impl_->set_stop(stop); }

void Session::set_logits_hook(LogitsHook hook) {
  Impl& s = *impl_;
  s.hooked_logits.resize(hook ? std::size_t(s.model->info.vocab_size) : 0);
  s.logits_hook = std::move(hook);
}

void Session::mask_experts(std::int64_t layer, std::span<const std::uint8_t> allowed) {
  Impl& s = *impl_;
  const ModelInfo& info = s.model->info;
  const std::int64_t count = std::ranges::count_if(allowed, [](std::uint8_t each) { return each != 0; });
  if (!allowed.empty() && (std::int64_t(allowed.size()) != info.experts || count < info.experts_per_token)) {
    fail(Status::invalid_argument, "a mask of {} experts that allows {}, expected {} of which at least {} are allowed",
         allowed.size(), count, info.experts, info.experts_per_token);
  }
  std::vector<std::uint8_t> mask(allowed.begin(), allowed.end());
  s.change_steering(layer).allowed = std::move(mask);
}

void Session::force_experts(std::int64_t layer, std::span<const std::int32_t> experts) {
  Impl& s = *impl_;
  const ModelInfo& info = s.model->info;
  std::vector<std::int32_t> chosen(experts.begin(), experts.end());
  std::ranges::sort(chosen);
  const bool distinct = std::ranges::adjacent_find(chosen) == chosen.end();
  const bool known = chosen.empty() || (chosen.front() >= 0 && chosen.back() < info.experts);
  if (!chosen.empty() && (std::int64_t(chosen.size()) != info.experts_per_token || !distinct || !known)) {
    fail(Status::invalid_argument, "{} forced experts, expected {} different ones of 0 to {}", chosen.size(),
         info.experts_per_token, info.experts - 1);
  }
  s.change_steering(layer).forced = std::move(chosen);
}
void Session::cancel() noexcept { impl_->cancelled = true; }

}  // namespace fathom
