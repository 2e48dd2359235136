#include "run/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fathom {

Sampler::Sampler(std::int64_t vocab, std::int64_t usable)
    : usable_(std::size_t(std::min(vocab, usable))),
      logits_(std::size_t(vocab)),
      candidates_(std::size_t(vocab)),
      probabilities_(std::size_t(vocab)),
      counts_(std::size_t(vocab)) {}

void Sampler::configure(const SamplingOptions& o) {
  const auto check = [](bool holds, std::string_view field, double value, std::string_view expected) {
    if (!holds) fail(Status::invalid_argument, "{} is {}, expected {}", field, value, expected);
  };
  check(o.temperature >= 0.0f && std::isfinite(o.temperature), "temperature", o.temperature, "0 or more");
  check(o.top_k >= 0, "top_k", o.top_k, "0 or more");
  check(o.top_p > 0.0f && o.top_p <= 1.0f, "top_p", o.top_p, "more than 0, at most 1");
  check(o.min_p >= 0.0f && o.min_p <= 1.0f, "min_p", o.min_p, "0 to 1");
  check(o.repetition_penalty > 0.0f && std::isfinite(o.repetition_penalty), "repetition_penalty", o.repetition_penalty,
        "more than 0");
  check(std::isfinite(o.frequency_penalty), "frequency_penalty", o.frequency_penalty, "a finite number");
  check(std::isfinite(o.presence_penalty), "presence_penalty", o.presence_penalty, "a finite number");
  check(o.penalty_window >= 0, "penalty_window", o.penalty_window, "0 or more");
  options_ = o;
  restart();
}

void Sampler::penalise(std::span<const TokenId> history) noexcept {
  const SamplingOptions& o = options_;
  if (o.repetition_penalty == 1.0f && o.frequency_penalty == 0.0f && o.presence_penalty == 0.0f) return;
  const std::span<const TokenId> seen = history.last(std::min(history.size(), std::size_t(o.penalty_window)));
  for (TokenId id : seen) ++counts_[std::size_t(id)];
  for (TokenId id : seen) {
    std::int32_t& count = counts_[std::size_t(id)];
    if (count == 0) continue;  // done at an earlier mention
    float& logit = logits_[std::size_t(id)];
    logit = logit > 0.0f ? logit / o.repetition_penalty : logit * o.repetition_penalty;
    logit -= float(count) * o.frequency_penalty + o.presence_penalty;
    count = 0;
  }
}

TokenId Sampler::likeliest() const noexcept {
  std::size_t best = 0;
  float top = -INFINITY;  // which a NaN never exceeds
  for (std::size_t i = 0; i < usable_; ++i) {
    if (logits_[i] > top) {
      best = i;
      top = logits_[i];
    }
  }
  return TokenId(best);
}

std::size_t Sampler::keep_candidates() noexcept {
  std::size_t n = usable_;
  for (std::size_t i = 0; i < n; ++i) candidates_[i] = {std::isnan(logits_[i]) ? -INFINITY : logits_[i], TokenId(i)};
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const auto begin = candidates_.begin();
  if (options_.top_k > 0 && std::size_t(options_.top_k) < n) {
    std::partial_sort(begin, begin + options_.top_k, begin + std::ptrdiff_t(n), likelier);
    n = std::size_t(options_.top_k);
  } else {
    std::sort(begin, begin + std::ptrdiff_t(n), likelier);
  }
  // Probabilities relative to the likeliest; the sum makes them absolute.
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    probabilities_[i] = std::exp((candidates_[i].logit - candidates_[0].logit) / options_.temperature);
    sum += probabilities_[i];
  }
  if (options_.top_p < 1.0f) {
    double reached = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      reached += probabilities_[i] / sum;
      if (reached >= options_.top_p) n = i + 1;
    }
  }
  while (n > 1 && probabilities_[n - 1] < options_.min_p) --n;
  return n;
}

TokenId Sampler::sample(std::span<const float> logits, std::span<const TokenId> history) noexcept {
  std::copy(logits.begin(), logits.end(), logits_.begin());
  penalise(history);
  if (options_.temperature == 0.0f) return likeliest();
  const std::size_t n = keep_candidates();
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += probabilities_[i];
  double left = rng_.uniform() * sum;
  for (std::size_t i = 0; i < n; ++i) {
    left -= probabilities_[i];
    if (left < 0.0) return candidates_[i].id;
  }
  return candidates_[0].id;
}

}  // namespace fathom
