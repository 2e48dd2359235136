#include "run/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "support/check_error.hpp"

using namespace fathom;

namespace {

TokenId draw(Sampler& sampler, const std::vector<float>& logits, const std::vector<TokenId>& history = {}) {
  SamplerScratch scratch(std::int64_t(logits.size()), heap_allocator());
  return sampler.sample(logits, history, scratch);
}

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TokenId sample_once(const std::vector<float>& logits, const SamplingOptions& options,
                    const std::vector<TokenId>& history = {}) {
  Sampler sampler(std::int64_t(logits.size()), std::int64_t(logits.size()));
  sampler.configure(options);
  return draw(sampler, logits, history);
}

// Penalties as SamplingOptions words them.
std::vector<double> penalised(const std::vector<float>& logits, const SamplingOptions& o, const std::vector<TokenId>& history) {
  std::vector<double> out(logits.begin(), logits.end());
  const std::size_t window = std::min(history.size(), std::size_t(o.penalty_window));
  for (std::size_t id = 0; id < out.size(); ++id) {
    const auto seen = std::count(history.end() - std::ptrdiff_t(window), history.end(), TokenId(id));
    if (seen == 0) continue;
    out[id] = out[id] > 0 ? out[id] / double(o.repetition_penalty) : out[id] * double(o.repetition_penalty);
    out[id] -= double(seen) * double(o.frequency_penalty) + double(o.presence_penalty);
  }
  return out;
}

// What is left of the distribution, by token, in the order that SamplingOptions gives the steps.
std::map<TokenId, double> distribution(const std::vector<double>& logits, const SamplingOptions& o) {
  struct One {
    TokenId id;
    double probability;
  };
  std::vector<One> all;
  const double top = *std::max_element(logits.begin(), logits.end());
  for (std::size_t i = 0; i < logits.size(); ++i)
    all.push_back({TokenId(i), std::exp((logits[i] - top) / double(o.temperature))});
  std::stable_sort(all.begin(), all.end(), [](const One& a, const One& b) { return a.probability > b.probability; });
  if (o.top_k > 0) all.resize(std::min(all.size(), std::size_t(o.top_k)));
  const auto normalise = [&] {
    const double sum =
        std::accumulate(all.begin(), all.end(), 0.0, [](double s, const One& one) { return s + one.probability; });
    for (One& one : all) one.probability /= sum;
  };
  normalise();
  std::size_t kept = 0;
  for (double reached = 0.0; kept < all.size() && (o.top_p >= 1.0f || reached < double(o.top_p)); ++kept)
    reached += all[kept].probability;
  all.resize(kept);
  const double least = all[0].probability * double(o.min_p);
  std::erase_if(all, [&](const One& one) { return one.probability < least; });
  normalise();
  std::map<TokenId, double> out;
  for (const One& one : all) out[one.id] = one.probability;
  return out;
}

// Draws many tokens and holds their shares against the reference: five standard deviations of a binomial.
void check_distribution(const std::vector<float>& logits, const SamplingOptions& options,
                        const std::vector<TokenId>& history = {}) {
  constexpr int kDraws = 20000;
  const std::map<TokenId, double> expected = distribution(penalised(logits, options, history), options);
  Sampler sampler(std::int64_t(logits.size()), std::int64_t(logits.size()));
  sampler.configure(options);
  std::map<TokenId, int> drawn;
  for (int i = 0; i < kDraws; ++i) ++drawn[draw(sampler, logits, history)];
  for (const auto& [id, count] : drawn) {
    CAPTURE(id);
    CHECK(expected.count(id) == 1);
  }
  for (const auto& [id, p] : expected) {
    CAPTURE(id);
    CAPTURE(p);
    CHECK(std::fabs(drawn[id] - kDraws * p) <= 5.0 * std::sqrt(kDraws * p * (1 - p)) + 1);
  }
}

const std::vector<float> kLogits{1.0f, -0.5f, 2.25f, 0.0f, 1.75f, -3.0f, 0.5f, 2.0f};

}  // namespace

TEST_CASE("temperature 0 takes the likeliest token, the lowest id among equals") {
  CHECK(sample_once(kLogits, {}) == 2);
  CHECK(sample_once({1.0f, 5.0f, 5.0f, 5.0f}, {}) == 1);
  CHECK(sample_once({-kInf, -kInf, -2.0f}, {}) == 2);
}

TEST_CASE("a draw follows the softmax of the logits over the temperature") {
  for (const float temperature : {0.3f, 1.0f, 3.0f}) {
    SamplingOptions options;
    options.temperature = temperature;
    check_distribution(kLogits, options);
  }
}

TEST_CASE("top_k, top_p and min_p cut the distribution as they say, alone and together") {
  SamplingOptions options;
  options.temperature = 1.0f;
  SUBCASE("the k likeliest") { options.top_k = 3; }
  SUBCASE("k of one") { options.top_k = 1; }
  SUBCASE("k beyond the vocabulary") { options.top_k = 1000; }
  SUBCASE("the smallest set that reaches p") { options.top_p = 0.6f; }
  SUBCASE("p so small that one is enough") { options.top_p = 0.0001f; }
  SUBCASE("nothing below a share of the likeliest") { options.min_p = 0.4f; }
  SUBCASE("as likely as the likeliest") { options.min_p = 1.0f; }
  SUBCASE("all three") {
    options.top_k = 6;
    options.top_p = 0.9f;
    options.min_p = 0.2f;
  }
  check_distribution(kLogits, options);
}

TEST_CASE("penalties change the logits of tokens seen in the window, once for each way of counting") {
  const std::vector<TokenId> history{5, 5, 2, 2, 2, 7, 1};
  SamplingOptions options;
  options.temperature = 1.0f;
  SUBCASE("repetition divides what is positive and multiplies what is negative") { options.repetition_penalty = 1.8f; }
  SUBCASE("frequency counts every time") { options.frequency_penalty = 0.4f; }
  SUBCASE("presence counts once") { options.presence_penalty = 0.9f; }
  SUBCASE("all of them") {
    options.repetition_penalty = 1.3f;
    options.frequency_penalty = -0.2f;
    options.presence_penalty = 0.5f;
  }
  SUBCASE("the window forgets what is older") {
    options.presence_penalty = 2.0f;
    options.penalty_window = 2;
  }
  SUBCASE("a window of nothing") {
    options.presence_penalty = 2.0f;
    options.penalty_window = 0;
  }
  check_distribution(kLogits, options, history);
}

TEST_CASE("penalties count without a draw too") {
  SamplingOptions options;
  options.presence_penalty = 1.0f;
  CHECK(sample_once(kLogits, options, {2}) == 7);
  CHECK(sample_once(kLogits, options, {2, 7}) == 4);
}

TEST_CASE("a seed draws the same tokens again, another seed others") {
  SamplingOptions options;
  options.temperature = 1.0f;
  options.seed = 42;
  const auto draw_many = [&](Sampler& sampler) {
    std::vector<TokenId> out;
    for (int i = 0; i < 50; ++i) out.push_back(draw(sampler, kLogits));
    return out;
  };
  Sampler first(8, 8), second(8, 8);
  first.configure(options);
  second.configure(options);
  const std::vector<TokenId> drawn = draw_many(first);
  CHECK(draw_many(second) == drawn);
  CHECK(draw_many(first) != drawn);
  first.restart();
  CHECK(draw_many(first) == drawn);
  options.seed = 43;
  second.configure(options);
  CHECK(draw_many(second) != drawn);
}

TEST_CASE("padding rows of the head are never chosen, however likely they look") {
  std::vector<float> logits(12, 50.0f);
  std::copy(kLogits.begin(), kLogits.end(), logits.begin());
  Sampler sampler(12, 8);
  SamplingOptions options;
  sampler.configure(options);
  CHECK(draw(sampler, logits) == 2);
  options.temperature = 2.0f;
  for (const std::int32_t top_k : {0, 10}) {
    options.top_k = top_k;
    sampler.configure(options);
    for (int i = 0; i < 500; ++i) CHECK(draw(sampler, logits) < 8);
  }
  Sampler larger(8, 100);  // a tokenizer that knows more tokens than the head has rows
  larger.configure({});
  CHECK(draw(larger, kLogits) == 2);
}

TEST_CASE("logits that are no numbers lose, and all of them together still give a token") {
  SamplingOptions drawn;
  drawn.temperature = 1.0f;
  for (const SamplingOptions& options : {SamplingOptions{}, drawn}) {
    CHECK(sample_once({kNan, -1.0f, -kInf, kNan}, options) == 1);
    CHECK(sample_once({0.0f, kNan, kInf, 3.0f}, options) == 2);
    for (const float fill : {kNan, -kInf, kInf}) {
      const TokenId id = sample_once(std::vector<float>(5, fill), options);
      CHECK(id >= 0);
      CHECK(id < 5);
    }
  }
}

TEST_CASE("extreme temperatures are no accident") {
  SamplingOptions options;
  options.temperature = std::numeric_limits<float>::denorm_min();
  CHECK(sample_once(kLogits, options) == 2);
  options.temperature = std::numeric_limits<float>::max();
  check_distribution(kLogits, options);
}

TEST_CASE("options out of range are refused by their name, and those before stay") {
  Sampler sampler(8, 8);
  const auto refused = [&](std::string_view field, auto change) {
    SamplingOptions options;
    options.temperature = 1.0f;
    change(options);
    test::check_error(Status::invalid_argument, {field}, [&] { sampler.configure(options); });
  };
  refused("temperature is -1", [](SamplingOptions& o) { o.temperature = -1.0f; });
  refused("temperature", [](SamplingOptions& o) { o.temperature = kNan; });
  refused("temperature", [](SamplingOptions& o) { o.temperature = kInf; });
  refused("top_k is -1", [](SamplingOptions& o) { o.top_k = -1; });
  refused("top_p is 0", [](SamplingOptions& o) { o.top_p = 0.0f; });
  refused("top_p is 1.5", [](SamplingOptions& o) { o.top_p = 1.5f; });
  refused("top_p", [](SamplingOptions& o) { o.top_p = kNan; });
  refused("min_p is -0.5", [](SamplingOptions& o) { o.min_p = -0.5f; });
  refused("min_p is 2", [](SamplingOptions& o) { o.min_p = 2.0f; });
  refused("repetition_penalty is 0", [](SamplingOptions& o) { o.repetition_penalty = 0.0f; });
  refused("frequency_penalty", [](SamplingOptions& o) { o.frequency_penalty = kInf; });
  refused("presence_penalty", [](SamplingOptions& o) { o.presence_penalty = kNan; });
  refused("penalty_window is -1", [](SamplingOptions& o) { o.penalty_window = -1; });
  CHECK(draw(sampler, kLogits) == 2);
}
