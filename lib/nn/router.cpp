#include "nn/router.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::nn {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void softmax(std::span<float> x) {
  const float top = *std::max_element(x.begin(), x.end());
  float sum = 0.0f;
  for (float& v : x) sum += v = std::exp(v - top);
  for (float& v : x) v /= sum;
}

void score_logits(RouterScore kind, std::span<float> s) {
  switch (kind) {
    case RouterScore::softmax:
      softmax(s);
      break;
    case RouterScore::sigmoid:
      for (float& v : s) v = 1.0f / (1.0f + std::exp(-v));
      break;
    case RouterScore::softmax_selected:
      break;  // chosen by logit; normalised once chosen
  }
}

float rank_group(GroupScore kind, std::span<const float> choice) {
  float best = kNever, second = kNever;
  for (float v : choice) {
    if (v > best) {
      second = best;
      best = v;
    } else if (v > second) {
      second = v;
    }
  }
  return kind == GroupScore::best || choice.size() < 2 ? best : best + second;
}

// Experts outside the best groups can no longer be chosen.
void drop_groups(const RouterConfig& c, std::span<float> choice, std::span<float> rank) {
  const std::int64_t size = c.experts / c.groups;
  const auto group = [&](std::int64_t g) { return choice.subspan(std::size_t(g * size), std::size_t(size)); };
  for (std::int64_t g = 0; g < c.groups; ++g) rank[g] = rank_group(c.group_score, group(g));
  for (std::int64_t kept = 0; kept < c.groups_kept; ++kept) {
    // max_element returns the first of equals. A kept group is marked with NaN, which compares as never larger.
    std::int64_t best = -1;
    for (std::int64_t g = 0; g < c.groups; ++g) {
      if (!std::isnan(rank[g]) && (best < 0 || rank[g] > rank[best])) best = g;
    }
    if (best >= 0) rank[best] = std::numeric_limits<float>::quiet_NaN();
  }
  for (std::int64_t g = 0; g < c.groups; ++g) {
    if (!std::isnan(rank[g])) std::ranges::fill(group(g), kNever);
  }
}

// Index of the largest value not yet taken; the first of equals. Works for values that are all -inf or NaN.
std::int32_t take_best(std::span<const float> choice, const std::int32_t* taken, std::int64_t n_taken) {
  std::int32_t best = -1;
  for (std::int32_t e = 0; e < std::int32_t(choice.size()); ++e) {
    if (std::find(taken, taken + n_taken, e) != taken + n_taken) continue;
    if (best < 0 || choice[std::size_t(e)] > choice[std::size_t(best)]) best = e;
  }
  return best;
}

void forbid(std::span<float> choice, std::span<const std::uint8_t> allowed) {
  for (std::size_t e = 0; e < allowed.size(); ++e) {
    if (allowed[e] == 0) choice[e] = kNever;
  }
}

}  // namespace

void route(const RouterConfig& c, const float* logits, const float* correction_bias, std::int32_t* ids, float* weights,
           std::span<float> scratch, const Steering& steering) noexcept {
  const std::size_t experts = std::size_t(c.experts);
  const std::span<float> score = scratch.first(experts);
  const std::span<float> choice = scratch.subspan(experts, experts);
  std::copy_n(logits, experts, score.begin());
  score_logits(c.score, score);
  for (std::size_t e = 0; e < experts; ++e) choice[e] = score[e] + (correction_bias ? correction_bias[e] : 0.0f);
  forbid(choice, steering.allowed);
  const std::int64_t k = c.experts_per_token;
  if (c.groups > 1) {
    drop_groups(c, choice, scratch.subspan(2 * experts, std::size_t(c.groups)));
    if (!steering.allowed.empty() && std::ranges::count_if(choice, [](float v) { return v > kNever; }) < k) {
      for (std::size_t e = 0; e < experts; ++e) choice[e] = score[e] + (correction_bias ? correction_bias[e] : 0.0f);
      forbid(choice, steering.allowed);
    }
  }
  if (steering.forced.empty()) {
    for (std::int64_t i = 0; i < k; ++i) ids[i] = take_best(choice, ids, i);
    std::sort(ids, ids + k);
  } else {
    std::ranges::copy(steering.forced, ids);
  }
  for (std::int64_t i = 0; i < k; ++i) weights[i] = score[std::size_t(ids[i])];
  if (c.score == RouterScore::softmax_selected) softmax({weights, std::size_t(k)});
  if (c.normalise) {
    float sum = 1e-20f;
    for (std::int64_t i = 0; i < k; ++i) sum += weights[i];
    for (std::int64_t i = 0; i < k; ++i) weights[i] /= sum;
  }
  for (std::int64_t i = 0; i < k; ++i) weights[i] *= c.scaling;
}

}  // namespace fathom::nn
