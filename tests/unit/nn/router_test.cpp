#include "nn/router.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/rng.hpp"

using namespace fathom;
using nn::GroupScore;
using nn::RouterConfig;
using nn::RouterScore;

namespace {

struct Choice {
  std::vector<std::int32_t> ids;
  std::vector<double> weights;
};

// The rules as the papers write them, in double, by sorting.
Choice reference(const RouterConfig& c, const std::vector<float>& logits, const std::vector<float>& bias) {
  const std::size_t n = logits.size(), k = std::size_t(c.experts_per_token);
  std::vector<double> score(logits.begin(), logits.end());
  if (c.score == RouterScore::sigmoid) {
    for (double& s : score) s = 1.0 / (1.0 + std::exp(-s));
  } else if (c.score == RouterScore::softmax) {
    double sum = 0.0;
    const double top = *std::max_element(score.begin(), score.end());
    for (double& s : score) sum += s = std::exp(s - top);
    for (double& s : score) s /= sum;
  }
  std::vector<double> choice = score;
  for (std::size_t e = 0; e < bias.size(); ++e) choice[e] += double(bias[e]);

  const std::size_t size = n / std::size_t(c.groups);
  std::vector<double> rank;
  for (std::size_t g = 0; g < std::size_t(c.groups); ++g) {
    std::vector<double> members(choice.begin() + std::ptrdiff_t(g * size), choice.begin() + std::ptrdiff_t((g + 1) * size));
    std::sort(members.rbegin(), members.rend());
    rank.push_back(c.group_score == GroupScore::best_two && size > 1 ? members[0] + members[1] : members[0]);
  }
  std::vector<std::size_t> groups(rank.size());
  std::iota(groups.begin(), groups.end(), 0);
  std::stable_sort(groups.begin(), groups.end(), [&](std::size_t a, std::size_t b) { return rank[a] > rank[b]; });
  groups.resize(std::size_t(c.groups_kept));

  std::vector<std::int32_t> open;
  for (std::size_t e = 0; e < n; ++e) {
    if (std::count(groups.begin(), groups.end(), e / size)) open.push_back(std::int32_t(e));
  }
  std::stable_sort(open.begin(), open.end(),
                   [&](std::int32_t a, std::int32_t b) { return choice[std::size_t(a)] > choice[std::size_t(b)]; });
  open.resize(k);
  std::sort(open.begin(), open.end());

  Choice out{open, {}};
  for (const std::int32_t id : open) {
    out.weights.push_back(c.score == RouterScore::softmax_selected ? std::exp(score[std::size_t(id)]) : score[std::size_t(id)]);
  }
  const double sum = std::accumulate(out.weights.begin(), out.weights.end(), 0.0);
  const bool divide = c.normalise || c.score == RouterScore::softmax_selected;
  for (double& w : out.weights) w *= double(c.scaling) / (divide ? sum : 1.0);
  return out;
}

struct Routed {
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
};

Routed route(const RouterConfig& c, const std::vector<float>& logits, const std::vector<float>& bias) {
  Routed out{std::vector<std::int32_t>(std::size_t(c.experts_per_token), -1),
             std::vector<float>(std::size_t(c.experts_per_token))};
  std::vector<float> scratch(std::size_t(nn::router_scratch(c)));
  nn::route(c, logits.data(), bias.empty() ? nullptr : bias.data(), out.ids.data(), out.weights.data(), scratch);
  return out;
}

struct Rule {
  const char* name;
  RouterConfig config;
  bool biased = false;
};

const Rule kRules[] = {
    {"DeepSeek-MoE-16B, V2-Lite", {64, 6, RouterScore::softmax}},
    {"V2", {160, 6, RouterScore::softmax, 8, 3, GroupScore::best, false, 16.0f}},
    {"V3", {256, 8, RouterScore::sigmoid, 8, 4, GroupScore::best_two, true, 2.5f}, true},
    {"V3 without groups", {12, 3, RouterScore::sigmoid, 1, 1, GroupScore::best_two, true, 2.446f}, true},
    {"V3 with groups of one", {8, 4, RouterScore::sigmoid, 8, 5, GroupScore::best_two, true, 2.5f}, true},
    {"Mixtral", {8, 2, RouterScore::softmax, 1, 1, GroupScore::best, true}},
    {"Qwen3-MoE", {128, 8, RouterScore::softmax, 1, 1, GroupScore::best, true}},
    {"gpt-oss", {32, 4, RouterScore::softmax_selected}},
    {"one expert", {1, 1, RouterScore::softmax}},
    {"every expert", {7, 7, RouterScore::softmax}},
};

void check_valid(const RouterConfig& c, const Routed& routed) {
  for (std::size_t i = 0; i < routed.ids.size(); ++i) {
    CHECK(routed.ids[i] >= 0);
    CHECK(routed.ids[i] < c.experts);
    if (i > 0) CHECK(routed.ids[i] > routed.ids[i - 1]);
  }
}

}  // namespace

TEST_CASE("every family's rule chooses and weighs as its paper says") {
  for (const Rule& rule : kRules) {
    CAPTURE(std::string(rule.name));
    Rng rng(11);
    for (int trial = 0; trial < 50; ++trial) {
      std::vector<float> logits(std::size_t(rule.config.experts)), bias;
      for (float& l : logits) l = float(8.0 * rng.uniform() - 4.0);
      if (rule.biased) {
        for (std::size_t e = 0; e < logits.size(); ++e) bias.push_back(float(rng.uniform() - 0.5));
      }
      const Choice expected = reference(rule.config, logits, bias);
      const Routed found = route(rule.config, logits, bias);
      CHECK(found.ids == expected.ids);
      // F32 exponentials and a sum of up to 256 terms: well within 300 roundings of 2^-24.
      for (std::size_t i = 0; i < found.weights.size(); ++i) {
        CHECK(double(found.weights[i]) == doctest::Approx(expected.weights[i]).epsilon(300 * 0x1p-24));
      }
    }
  }
}

TEST_CASE("equal experts and equal groups go to the lower id") {
  const std::vector<float> level(8, 0.5f);
  CHECK(route({8, 3, RouterScore::softmax}, level, {}).ids == std::vector<std::int32_t>{0, 1, 2});
  CHECK(route({8, 3, RouterScore::softmax_selected}, level, {}).ids == std::vector<std::int32_t>{0, 1, 2});
  CHECK(route({8, 3, RouterScore::sigmoid, 4, 2, GroupScore::best_two}, level, {}).ids == std::vector<std::int32_t>{0, 1, 2});
  // The last group wins; among the rest the first does.
  const std::vector<float> last{0, 0, 0, 0, 0, 0, 1, 1};
  CHECK(route({8, 4, RouterScore::softmax, 4, 2, GroupScore::best}, last, {}).ids == std::vector<std::int32_t>{0, 1, 6, 7});
}

TEST_CASE("a bias decides who is chosen, not how much it counts") {
  const std::vector<float> logits{0.0f, 1.0f, 2.0f, 3.0f};
  const std::vector<float> bias{1.0f, 0.0f, 0.0f, 0.0f};
  const Routed found = route({4, 2, RouterScore::sigmoid}, logits, bias);
  CHECK(found.ids == std::vector<std::int32_t>{0, 3});
  CHECK(found.weights[0] == doctest::Approx(0.5));
  CHECK(found.weights[1] == doctest::Approx(1.0 / (1.0 + std::exp(-3.0))));
}

// A mask of 0 instead of -inf would let experts 4 to 7 in, whose groups were dropped.
TEST_CASE("experts of dropped groups are never chosen, even when the kept ones score below zero") {
  const std::vector<float> logits(8, 0.0f);
  const std::vector<float> bias{-1.0f, -2.0f, -1.1f, -2.1f, -3.0f, -3.0f, -3.0f, -3.0f};
  const Routed found = route({8, 4, RouterScore::sigmoid, 4, 2, GroupScore::best_two, true, 1.0f}, logits, bias);
  CHECK(found.ids == std::vector<std::int32_t>{0, 1, 2, 3});
  for (const float w : found.weights) CHECK(w == doctest::Approx(0.25));
}

TEST_CASE("large logits do not overflow") {
  std::vector<float> logits(16, -3.0e38f);
  logits[5] = 3.0e38f;
  for (const RouterScore score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::softmax_selected}) {
    const Routed found = route({16, 2, score, 1, 1, GroupScore::best, true}, logits, {});
    CHECK(found.ids == std::vector<std::int32_t>{0, 5});
    CHECK(found.weights[0] == 0.0f);
    CHECK(found.weights[1] == 1.0f);
  }
}

TEST_CASE("logits that are not numbers still give distinct valid experts in ascending order") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  Rng rng(5);
  for (const Rule& rule : kRules) {
    CAPTURE(std::string(rule.name));
    const std::size_t n = std::size_t(rule.config.experts);
    for (const float fill : {kNan, kInf, -kInf}) check_valid(rule.config, route(rule.config, std::vector<float>(n, fill), {}));
    for (int trial = 0; trial < 50; ++trial) {
      constexpr float kKinds[] = {kNan, kInf, -kInf, 0.0f, 1.0f};
      std::vector<float> logits(n), bias(n);
      for (float& l : logits) l = kKinds[rng.next() % 5];
      for (float& b : bias) b = kKinds[rng.next() % 5];
      check_valid(rule.config, route(rule.config, logits, bias));
    }
  }
}
