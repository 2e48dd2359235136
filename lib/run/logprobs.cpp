#include "run/logprobs.hpp"

#include <algorithm>
#include <cmath>

namespace fathom {

void append_logprobs(std::span<const float> logits, TokenId chosen, std::int32_t n, std::vector<TokenLogprob>& out) {
  const auto value = [&](std::size_t i) { return std::isnan(logits[i]) ? -INFINITY : logits[i]; };
  float top = -INFINITY;
  for (std::size_t i = 0; i < logits.size(); ++i) top = std::max(top, value(i));
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) sum += std::exp(double(value(i)) - double(top));
  // the largest is taken off first: beside it the logarithm of the sum could be lost
  const auto logprob = [&](float logit) { return float(double(logit) - double(top) - std::log(sum)); };

  const std::size_t first = out.size() + 1;
  out.resize(out.size() + 1 + std::size_t(n), TokenLogprob{-1, -INFINITY});
  out[first - 1] = {chosen, logprob(value(std::size_t(chosen)))};
  // The n best so far stay sorted; few tokens make it past the last of them.
  const std::span<TokenLogprob> best = std::span(out).subspan(first);
  if (best.empty()) return;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (best.back().token >= 0 && !(value(i) > best.back().logprob)) continue;
    std::size_t at = best.size() - 1;
    for (; at > 0 && (best[at - 1].token < 0 || value(i) > best[at - 1].logprob); --at) best[at] = best[at - 1];
    best[at] = {TokenId(i), value(i)};
  }
  for (TokenLogprob& each : best) {
    if (each.token < 0) each.token = 0;
    each.logprob = logprob(each.logprob);
  }
}

}  // namespace fathom
