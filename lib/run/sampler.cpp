#include "run/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fathom {

namespace {

// Bytes of `count` elements, rounded up so that the next array is aligned.
std::int64_t aligned_bytes(std::int64_t count, std::size_t element) {
  constexpr std::int64_t kAlignment = Buffer::kAlignment;
  return (count * std::int64_t(element) + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::int64_t SamplerScratch::bytes_for(std::int64_t vocab) noexcept {
  return aligned_bytes(vocab, sizeof(Candidate)) + 2 * aligned_bytes(vocab, sizeof(float)) +
         aligned_bytes(vocab, sizeof(std::int32_t));
}

SamplerScratch::SamplerScratch(std::int64_t vocab, Allocator& allocator)
    : memory_(allocator, std::size_t(bytes_for(vocab)), MemoryPurpose::scratch) {
  std::byte* at = memory_.data();
  const auto take = [&]<typename T>(std::span<T>& array) {
    array = {reinterpret_cast<T*>(at), std::size_t(vocab)};
    at += aligned_bytes(vocab, sizeof(T));
  };
  take(candidates);
  take(logits);
  take(probabilities);
  take(counts);
  std::ranges::fill(counts, 0);
}

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

bool Sampler::penalises() const noexcept {
  const SamplingOptions& o = options_;
  return o.repetition_penalty != 1.0f || o.frequency_penalty != 0.0f || o.presence_penalty != 0.0f;
}

void Sampler::penalise(std::span<const TokenId> history, SamplerScratch& scratch) const noexcept {
  const SamplingOptions& o = options_;
  const std::span<const TokenId> seen = history.last(std::min(history.size(), std::size_t(o.penalty_window)));
  for (TokenId id : seen) ++scratch.counts[std::size_t(id)];
  for (TokenId id : seen) {
    std::int32_t& count = scratch.counts[std::size_t(id)];
    if (count == 0) continue;  // done at an earlier mention
    float& logit = scratch.logits[std::size_t(id)];
    logit = logit > 0.0f ? logit / o.repetition_penalty : logit * o.repetition_penalty;
    logit -= float(count) * o.frequency_penalty + o.presence_penalty;
    count = 0;
  }
}

TokenId Sampler::likeliest(std::span<const float> logits) const noexcept {
  std::size_t best = 0;
  float top = -INFINITY;  // which a NaN never exceeds
  for (std::size_t i = 0; i < usable_; ++i) {
    if (logits[i] > top) {
      best = i;
      top = logits[i];
    }
  }
  return TokenId(best);
}

std::size_t Sampler::keep_candidates(std::span<const float> logits, SamplerScratch& scratch) const noexcept {
  using Candidate = SamplerScratch::Candidate;
  const std::span<Candidate> candidates = scratch.candidates;
  const std::span<float> probabilities = scratch.probabilities;
  std::size_t n = usable_;
  for (std::size_t i = 0; i < n; ++i) candidates[i] = {std::isnan(logits[i]) ? -INFINITY : logits[i], TokenId(i)};
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  const auto begin = candidates.begin();
  if (options_.top_k > 0 && std::size_t(options_.top_k) < n) {
    std::partial_sort(begin, begin + options_.top_k, begin + std::ptrdiff_t(n), likelier);
    n = std::size_t(options_.top_k);
  } else {
    std::sort(begin, begin + std::ptrdiff_t(n), likelier);
  }
  // Probabilities relative to the likeliest; the sum makes them absolute.
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    probabilities[i] = std::exp((candidates[i].logit - candidates[0].logit) / options_.temperature);
    sum += probabilities[i];
  }
  if (options_.top_p < 1.0f) {
    double reached = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      reached += probabilities[i] / sum;
      if (reached >= options_.top_p) n = i + 1;
    }
  }
  while (n > 1 && probabilities[n - 1] < options_.min_p) --n;
  return n;
}

TokenId Sampler::sample(std::span<const float> logits, std::span<const TokenId> history, SamplerScratch& scratch) noexcept {
  if (penalises()) {
    if (logits.data() != scratch.logits.data()) std::ranges::copy(logits, scratch.logits.begin());
    penalise(history, scratch);
    logits = scratch.logits;
  }
  if (options_.temperature == 0.0f) return likeliest(logits);
  const std::size_t n = keep_candidates(logits, scratch);
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += scratch.probabilities[i];
  double left = rng_.uniform() * sum;
  for (std::size_t i = 0; i < n; ++i) {
    left -= scratch.probabilities[i];
    if (left < 0.0) return scratch.candidates[i].id;
  }
  return scratch.candidates[0].id;
}

}  // namespace fathom
