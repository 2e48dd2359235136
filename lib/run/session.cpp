#include "fathom/session.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "run/part_times.hpp"
#include "run/session_defaults.hpp"
#include "run/session_impl.hpp"

namespace fathom {
namespace {

static_assert(CancelFlag::is_always_lock_free, "Session::cancel() may be called by a signal handler");

void check_tokens(std::span<const TokenId> tokens, std::int64_t vocab_size) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocab_size) {
      fail(Status::invalid_argument, "token {} of those appended is {}, expected 0 to {}", i, tokens[i], vocab_size - 1);
    }
  }
}

}  // namespace

Session::Impl::Impl(std::shared_ptr<const Model::Impl> model, const SessionOptions& options)
    : limits(session_pass(options, model->info)), timeline(model, options), turn(*model, limits, 1) {
  turn.join(timeline);
}

Session::Impl::Impl(const Impl& other) : limits(other.limits), timeline(other.timeline), turn(*timeline.model, limits, 1) {
  turn.join(timeline);
}

Session::Impl::~Impl() {
  if (timeline.joint) timeline.joint->leave(timeline);
}

Session::Session(const Model& model, const SessionOptions& options) : impl_(std::make_unique<Impl>(model.impl(), options)) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

void Session::append(std::span<const TokenId> added) {
  Timeline& t = impl_->timeline;
  check_tokens(added, t.model->info.vocab_size);
  if (std::int64_t(added.size()) > t.context - std::int64_t(t.tokens.size())) {
    fail(Status::context_full, "{} tokens do not fit: {} of {} are taken", added.size(), t.tokens.size(), t.context);
  }
  t.append(added);
}

StepResult Session::step(const StepOptions& options) {
  if (options.max_new_tokens < 0)
    fail(Status::invalid_argument, "max_new_tokens is {}, expected 0 or more", options.max_new_tokens);
  if (impl_->timeline.tokens.empty()) fail(Status::wrong_state, "there is nothing to go on from: append tokens first");
  impl_->turn.step(options);
  Turn::Member& member = impl_->turn.members().front();
  if (member.failure) std::rethrow_exception(std::exchange(member.failure, nullptr));
  return member.result.step;
}

std::string_view Session::untaken_text() const { return impl_->timeline.text.ready(); }
std::span<const TokenId> Session::untaken_tokens() const noexcept { return impl_->timeline.new_tokens; }
std::span<const TokenLogprob> Session::untaken_logprobs() const {
  if (impl_->timeline.top_logprobs == 0) fail(Status::wrong_state, "this session keeps no probabilities: top_logprobs is 0");
  return impl_->timeline.logprobs;
}
std::span<const Route> Session::untaken_routes() const {
  if (!impl_->timeline.traces) fail(Status::wrong_state, "this session keeps no routes: trace_routes is off");
  return impl_->timeline.routes;
}

// Tokens and probabilities are copied out: steps go on in the memory they have.
std::string Session::take_text() { return impl_->timeline.text.take(); }
std::vector<TokenId> Session::take_tokens() {
  const auto untaken = untaken_tokens();
  std::vector<TokenId> taken(untaken.begin(), untaken.end());
  impl_->timeline.new_tokens.clear();
  return taken;
}
std::vector<TokenLogprob> Session::take_logprobs() {
  const auto untaken = untaken_logprobs();
  std::vector<TokenLogprob> taken(untaken.begin(), untaken.end());
  impl_->timeline.logprobs.clear();
  return taken;
}
std::vector<Route> Session::take_routes() {
  untaken_routes();  // refuses where there are none to take
  return std::exchange(impl_->timeline.routes, {});
}
const RouteTotals& Session::route_totals(std::int64_t layer) const {
  const Timeline& t = impl_->timeline;
  if (!t.totals.counts()) fail(Status::wrong_state, "this session counts no routes: count_routes is off");
  if (layer < 0 || layer >= t.model->info.layers) {
    fail(Status::invalid_argument, "layer is {}, expected 0 to {}", layer, t.model->info.layers - 1);
  }
  return t.totals.layer(layer);
}

std::span<const float> Session::logits() const {
  const Timeline& t = impl_->timeline;
  if (!t.logits_valid) fail(Status::wrong_state, "there are no logits: step until no token is queued");
  return t.logits;
}

PartTimes Session::part_times() const noexcept { return name_parts(impl_->turn.part_us()); }

std::span<const TokenId> Session::tokens() const noexcept { return impl_->timeline.tokens; }
std::int64_t Session::context_length() const noexcept { return impl_->timeline.context; }

void Session::reset() { impl_->timeline.reset(); }

void Session::rewind(std::int64_t length) {
  Timeline& t = impl_->timeline;
  if (length < 0 || length > std::int64_t(t.tokens.size())) {
    fail(Status::invalid_argument, "cannot rewind to {} tokens: there are {}", length, t.tokens.size());
  }
  t.rewind(length);
}

std::int64_t Session::sync(std::span<const TokenId> tokens) {
  Timeline& t = impl_->timeline;
  const auto shared = std::mismatch(tokens.begin(), tokens.end(), t.tokens.begin(), t.tokens.end());
  const std::int64_t kept = shared.first - tokens.begin();
  check_tokens(tokens, t.model->info.vocab_size);
  if (std::int64_t(tokens.size()) > t.context) {
    fail(Status::context_full, "{} tokens do not fit: the context is {}", tokens.size(), t.context);
  }
  t.rewind(kept);
  t.append(tokens.subspan(std::size_t(kept)));
  return kept;
}

Session Session::fork() const { return Session(std::make_unique<Impl>(*impl_)); }

void Session::set_sampling(const SamplingOptions& sampling) { impl_->timeline.sampler.configure(sampling); }
void Session::set_stop(const StopOptions& stop) { impl_->timeline.set_stop(stop); }

void Session::set_logits_hook(LogitsHook hook) { impl_->timeline.logits_hook = std::move(hook); }

void Session::mask_experts(std::int64_t layer, std::span<const std::uint8_t> allowed) {
  Timeline& t = impl_->timeline;
  const ModelInfo& info = t.model->info;
  const std::int64_t count = std::ranges::count_if(allowed, [](std::uint8_t each) { return each != 0; });
  if (!allowed.empty() && (std::int64_t(allowed.size()) != info.experts || count < info.experts_per_token)) {
    fail(Status::invalid_argument, "a mask of {} experts that allows {}, expected {} of which at least {} are allowed",
         allowed.size(), count, info.experts, info.experts_per_token);
  }
  std::vector<std::uint8_t> mask(allowed.begin(), allowed.end());
  t.change_steering(layer).allowed = std::move(mask);
}

void Session::force_experts(std::int64_t layer, std::span<const std::int32_t> experts) {
  Timeline& t = impl_->timeline;
  const ModelInfo& info = t.model->info;
  std::vector<std::int32_t> chosen(experts.begin(), experts.end());
  std::ranges::sort(chosen);
  const bool distinct = std::ranges::adjacent_find(chosen) == chosen.end();
  const bool known = chosen.empty() || (chosen.front() >= 0 && chosen.back() < info.experts);
  if (!chosen.empty() && (std::int64_t(chosen.size()) != info.experts_per_token || !distinct || !known)) {
    fail(Status::invalid_argument, "{} forced experts, expected {} different ones of 0 to {}", chosen.size(),
         info.experts_per_token, info.experts - 1);
  }
  t.change_steering(layer).forced = std::move(chosen);
}

// Also from a signal handler: no lock, no memory, one lock-free store.
void Session::cancel() noexcept { impl_->timeline.cancelled = true; }

}  // namespace fathom
