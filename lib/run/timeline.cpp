#include "run/timeline.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "run/logprobs.hpp"
#include "run/session_defaults.hpp"
#include "run/tokenizer_impl.hpp"
#include "run/turn.hpp"

namespace fathom {
namespace {

const text::Tokenizer* text_tokenizer(const Model::Impl& model) {
  return model.tokenizer ? model.tokenizer->impl()->tokenizer.get() : nullptr;
}

std::int64_t tokenizer_vocab(const Model::Impl& model) {
  const text::Tokenizer* tokenizer = text_tokenizer(model);
  return tokenizer ? tokenizer->vocab_size() : model.info.vocab_size;
}

// Room for `more` elements, so that adding them cannot fail.
template <typename T>
void make_room(std::vector<T>& list, std::size_t more) {
  if (list.capacity() - list.size() < more) list.reserve(std::max(list.size() + more, 2 * list.capacity()));
}

// NaN and positive infinity.
std::int32_t count_not_below_infinity(std::span<const float> logits) {
  std::int32_t count = 0;
  for (const float logit : logits) count += !(logit < INFINITY);
  return count;
}

bool all_forbidden(std::span<const float> logits) {
  return std::ranges::all_of(logits, [](float logit) { return logit == -INFINITY; });
}

}  // namespace

Timeline::Timeline(std::shared_ptr<const Model::Impl> model_, const SessionOptions& options)
    : model(std::move(model_)),
      context(choose_context(options, model->info)),
      cache(model->network->cache_shape(cache_storage(options.cache, *model->network)), context, *model->runtime->allocator),
      sampler(model->info.vocab_size, tokenizer_vocab(*model)),
      text(text_tokenizer(*model)),
      traces(options.trace_routes),
      top_logprobs(choose_top_logprobs(options)),
      logits(std::size_t(model->info.vocab_size)) {
  model->check_files();
  if (options.count_routes) totals = RouteCounter(model->network->config);
  reserve();
  sampler.configure(options.sampling);
  set_stop(options.stop);
}

Timeline::Timeline(const Timeline& other)
    : model(other.model),
      context(other.context),
      cache(other.cache.fork(other.settled())),
      sampler(other.sampler),
      text(other.text),
      traces(other.traces),
      top_logprobs(other.top_logprobs),
      stop_tokens(other.stop_tokens),
      computed(other.settled()),
      drawn(other.drawn),
      logits(other.logits),
      logits_valid(other.logits_valid),
      totals(other.totals),
      stopped(other.stopped),
      steering(other.steering),
      logits_hook(other.logits_hook) {
  reserve();
  tokens = other.tokens;
  text.drop_untaken();
}

// What grows while stepping gets its room here.
void Timeline::reserve() {
  tokens.reserve(std::size_t(context));
  new_tokens.reserve(std::size_t(context));
  if (top_logprobs > 0) logprobs.reserve(std::size_t(std::min(context, kRoomForLogprobs) * (1 + top_logprobs)));
}

void Timeline::append(std::span<const TokenId> added) {
  cancelled = false;
  if (added.empty()) return;
  tokens.insert(tokens.end(), added.begin(), added.end());
  if (stopped != StopReason::none) text.resume();
  stopped = StopReason::none;
}

// The last token kept goes through the model again, because its logits are needed and are no longer there.
void Timeline::rewind(std::int64_t length) {
  if (length == std::int64_t(tokens.size())) {
    cancelled = false;
    return;
  }
  const std::int64_t kept = std::min(computed, std::max<std::int64_t>(length - 1, 0));
  cache.rewind(kept);
  drop_rows();
  tokens.resize(std::size_t(length));
  computed = kept;
  drawn = -1;
  logits_valid = false;
  new_tokens.clear();
  logprobs.clear();
  routes.clear();
  text.reset();
  stopped = StopReason::none;
  cancelled = false;
}

void Timeline::reset() noexcept {
  drop_rows();
  totals.clear();
  logprobs.clear();
  tokens.clear();
  computed = 0;
  drawn = -1;
  logits_valid = false;
  new_tokens.clear();
  routes.clear();
  text.reset();
  sampler.restart();
  stopped = StopReason::none;
  cancelled = false;
}

void Timeline::set_stop(const StopOptions& options) {
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

model::LayerSteering& Timeline::change_steering(std::int64_t layer) {
  if (layer < 0 || layer >= model->info.layers || !model->network->config.is_moe(layer)) {
    fail(Status::invalid_argument, "layer {} has no experts to choose from", layer);
  }
  if (under_way) under_way->drop_body();  // it began with the old steering
  steering.resize(std::size_t(model->info.layers));
  return steering[std::size_t(layer)];
}

void Timeline::drop_rows() noexcept {
  if (under_way) under_way->drop();
}

std::int64_t Timeline::take_in(const model::RowSpan& rows) noexcept {
  computed += rows.rows;
  return rows.rows - (drawn >= rows.first_position && drawn < computed);
}

void Timeline::keep_routes(const model::Pass& pass, const model::RowSpan& rows) {
  const model::Config& c = model->network->config;
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    std::int64_t index = 0;
    for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
      if (!c.is_moe(layer)) continue;
      const auto ids = pass.traced_ids(index, rows.first_row + i);
      const auto weights = pass.traced_weights(index, rows.first_row + i);
      totals.count(layer, ids, weights);
      if (traces) {
        routes.push_back(
            {rows.first_position + i, std::int32_t(layer), {ids.begin(), ids.end()}, {weights.begin(), weights.end()}});
      }
      ++index;
    }
  }
}

void Timeline::take_logits(const float* row) noexcept {
  std::copy_n(row, logits.size(), logits.begin());
  logits_valid = true;
}

void Timeline::check_logits() const {
  const std::span<const float> usable = std::span(logits).first(sampler.usable());
  const std::int32_t bad = count_not_below_infinity(usable);
  if (bad == 0 && !all_forbidden(usable)) return;
  fail(Status::corrupt_file,
       "{} of {} logits for position {} are NaN or infinite: a weight of the model is, or a number overflowed, as numbers "
       "above 65504 do in an F16 cache",
       bad > 0 ? std::size_t(bad) : usable.size(), usable.size(), tokens.size());
}

std::span<const float> Timeline::call_hook(SamplerScratch& scratch) const {
  std::ranges::copy(logits, scratch.logits.begin());
  logits_hook(std::int64_t(tokens.size()), scratch.logits);
  const std::span<const float> usable = scratch.logits.first(sampler.usable());
  const auto bad = std::ranges::count_if(usable, [](float logit) { return std::isnan(logit); });
  if (bad > 0) {
    fail(Status::callback_failed, "the logits hook left {} of {} logits for position {} that are not numbers", bad,
         usable.size(), tokens.size());
  }
  if (all_forbidden(usable)) {
    fail(Status::callback_failed, "the logits hook forbids every token for position {}", tokens.size());
  }
  return scratch.logits;
}

std::span<const TokenId> Timeline::propose(std::size_t room) noexcept {
  if (!proposer) return {};
  const std::size_t most = std::min({kMostGuesses, room, std::size_t(context) - tokens.size()});
  const std::size_t count = proposer(proposer_source, *this, std::span(guesses_).first(most));
  return std::span(guesses_).first(std::min(count, most));
}

bool Timeline::draw(SamplerScratch& scratch) {
  if (std::int64_t(tokens.size()) >= context) {
    stopped = StopReason::context_full;
    return false;
  }
  check_logits();
  if (top_logprobs > 0) make_room(logprobs, std::size_t(1 + top_logprobs));
  const std::span<const float> edited = logits_hook ? call_hook(scratch) : std::span<const float>(logits);
  const TokenId id = sampler.sample(edited, tokens, scratch);
  drawn = std::int64_t(tokens.size());
  tokens.push_back(id);
  if (top_logprobs > 0) append_logprobs(std::span<const float>(logits).first(sampler.usable()), id, top_logprobs, logprobs);
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

}  // namespace fathom
