#include "run/logprobs.hpp"

#include <doctest/doctest.h>

#include <cmath>

using fathom::append_logprobs;
using fathom::TokenLogprob;

TEST_CASE("the chosen token comes first, then the likeliest by falling probability") {
  const std::vector<float> logits = {0.0f, 2.0f, 1.0f, 2.0f, -1.0f};
  std::vector<TokenLogprob> out = {{7, 0.5f}};
  append_logprobs(logits, 4, 3, out);
  REQUIRE(out.size() == 5);
  CHECK(out[0].token == 7);  // what was there stays
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(double(logit));
  const int expected[] = {4, 1, 3, 2};  // the lower id first among equals
  for (int i = 0; i < 4; ++i) {
    CHECK(out[std::size_t(i + 1)].token == expected[i]);
    CHECK(out[std::size_t(i + 1)].logprob == doctest::Approx(double(logits[std::size_t(expected[i])]) - std::log(sum)));
  }
}

TEST_CASE("large logits do not overflow, NaN is the least likely") {
  const std::vector<float> logits = {1e30f, NAN, 1e30f};
  std::vector<TokenLogprob> out;
  append_logprobs(logits, 2, 2, out);
  CHECK(out[0].logprob == doctest::Approx(std::log(0.5)));
  CHECK(out[1].token == 0);
  CHECK(out[2].token == 2);
  append_logprobs(logits, 1, 0, out);
  CHECK(out.size() == 4);
  CHECK(out[3].logprob == -INFINITY);
}

TEST_CASE("more than there are tokens repeat with a probability of 0") {
  std::vector<TokenLogprob> out;
  append_logprobs(std::vector<float>{1.0f}, 0, 3, out);
  REQUIRE(out.size() == 4);
  CHECK(out[1].logprob == doctest::Approx(0.0));
  CHECK(out[3].logprob == -INFINITY);
}
