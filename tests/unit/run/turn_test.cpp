// Turns with guesses: whoever guesses whatever, the same is generated.
#include "run/turn.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "run/session_defaults.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

constexpr std::int64_t kPrompt = 20, kTokens = 24;

// Knows what will be drawn, and errs at every `err`-th place of a guess (0: never), or is wrong always (1).
struct Source {
  std::vector<TokenId> timeline;  // as it will be
  std::size_t most = 3, err = 0;
  int calls = 0;

  static std::size_t guess(void* user, const Timeline& timeline, std::span<TokenId> guesses) noexcept {
    Source& source = *static_cast<Source*>(user);
    ++source.calls;
    std::size_t count = 0;
    for (std::size_t at = timeline.tokens.size(); count < std::min(source.most, guesses.size()); ++at, ++count) {
      guesses[count] = at < source.timeline.size() ? source.timeline[at] : 5;
      if (source.err > 0 && (count + 1) % source.err == 0) guesses[count] = (guesses[count] + 1) % 320;
    }
    return count;
  }
};

SessionOptions told(float temperature) {
  SessionOptions options = endless(kPrompt + kTokens + 8);
  options.sampling.temperature = temperature;
  options.sampling.repetition_penalty = 1.1f;
  options.sampling.seed = 3;
  options.top_logprobs = 2;
  options.trace_routes = true;
  options.count_routes = true;
  return options;
}

struct Alone {
  Alone(const Model& model, const SessionOptions& options, std::int64_t prompt = kPrompt)
      : timeline(model.impl(), options), turn(*model.impl(), session_pass(options, model.info()), 1) {
    timeline.append(prompt_of(prompt));
    turn.join(timeline);
  }
  void guess(Source& source) {
    timeline.proposer = Source::guess;
    timeline.proposer_source = &source;
  }
  // Until there are so many tokens.
  void generate(std::int64_t length, std::int64_t a_step, std::int64_t budget_us = 0) {
    while (std::int64_t(timeline.tokens.size()) < length) {
      const std::int64_t left = length - std::int64_t(timeline.tokens.size());
      turn.step({.budget_us = budget_us, .max_new_tokens = std::min(a_step, left)});
      REQUIRE(!turn.members()[0].failure);
      REQUIRE(turn.members()[0].result.step.new_tokens <= a_step);
    }
  }
  Timeline timeline;
  Turn turn;
};

void check_same(const Timeline& a, const Timeline& b) {
  CHECK(a.tokens == b.tokens);
  CHECK(a.new_tokens == b.new_tokens);
  REQUIRE(a.logprobs.size() == b.logprobs.size());
  for (std::size_t i = 0; i < a.logprobs.size(); ++i) {
    CHECK(a.logprobs[i].token == b.logprobs[i].token);
    CHECK(a.logprobs[i].logprob == b.logprobs[i].logprob);
  }
}

// Of the first `positions`: guessing decides when a row counts, not what it is.
void check_same_routes(const Timeline& a, const Timeline& b, std::int64_t positions) {
  std::size_t i = 0;
  for (; i < std::min(a.routes.size(), b.routes.size()) && a.routes[i].position < positions; ++i) {
    CHECK(a.routes[i].position == b.routes[i].position);
    CHECK(a.routes[i].layer == b.routes[i].layer);
    CHECK(a.routes[i].experts == b.routes[i].experts);
    CHECK(a.routes[i].weights == b.routes[i].weights);
  }
  if (a.model->info.experts > 0) CHECK(i >= std::size_t(positions));
}

}  // namespace

TEST_CASE("guesses, right or wrong, change nothing but the number of passes") {
  for (const std::string& shape : kShapes) {
    const Model model = open_fixture(shape);
    for (const float temperature : {0.0f, 1.0f}) {
      Alone plain(model, told(temperature));
      plain.generate(kPrompt + kTokens, 1);
      for (const std::size_t err : {0, 1, 2, 3}) {
        for (const std::int64_t a_step : {1, 2, 7, 100}) {
          for (const std::int64_t budget_us : {0, 1}) {
            CAPTURE(shape);
            CAPTURE(temperature);
            CAPTURE(err);
            CAPTURE(a_step);
            CAPTURE(budget_us);
            Source source{plain.timeline.tokens, 3, err};
            Alone guessing(model, told(temperature));
            guessing.guess(source);
            guessing.generate(kPrompt + kTokens, a_step, budget_us);
            check_same(plain.timeline, guessing.timeline);
            check_same_routes(plain.timeline, guessing.timeline, kPrompt + kTokens - 1);
            // the first token needs no pass of its own; each pass after it settles a token and its right guesses
            const int right = err == 0 ? 3 : int(err) - 1;
            CHECK(source.calls <= int(kTokens - 1 + right) / (1 + right) + 1);
          }
        }
      }
    }
  }
}

TEST_CASE("guesses end where the context ends, and at stops") {
  const Model model = open_fixture("llama3");
  SessionOptions options = told(0.0f);
  Alone plain(model, options);
  plain.turn.step({.max_new_tokens = 1000});
  CHECK(plain.timeline.stopped == StopReason::context_full);
  options.stop.tokens = {plain.timeline.tokens[std::size_t(kPrompt) + 6]};
  Alone stopped(model, options);
  stopped.turn.step({.max_new_tokens = 1000});
  for (Alone* expected : {&plain, &stopped}) {
    Source source{plain.timeline.tokens, 6, 0};
    Alone guessing(model, expected == &plain ? told(0.0f) : options);
    guessing.guess(source);
    guessing.turn.step({.max_new_tokens = 1000});
    CHECK(guessing.timeline.stopped == expected->timeline.stopped);
    CHECK(guessing.timeline.under_way == nullptr);  // who has stopped holds no pass
    check_same(guessing.timeline, expected->timeline);
  }
}

TEST_CASE("whatever is done while there are logits after guesses, the guesses are forgotten") {
  const Model model = open_fixture("deepseek-v3");
  Alone plain(model, told(0.0f));
  plain.generate(kPrompt + kTokens, 1);
  const std::vector<TokenId> expected = plain.timeline.tokens;
  const auto paused = [&](Source& source) {
    auto made = std::make_unique<Alone>(model, told(0.0f));
    made->guess(source);
    made->generate(kPrompt + 2, 1);
    REQUIRE(made->timeline.under_way == &made->turn);  // rows ahead keep the pass
    return made;
  };
  Source source{expected, 5, 0};
  {
    auto rewound = paused(source);
    rewound->timeline.rewind(kPrompt - 3);
    CHECK(rewound->timeline.under_way == nullptr);
    rewound->timeline.append(std::span(expected).subspan(std::size_t(kPrompt) - 3, 3));
    rewound->generate(kPrompt + kTokens, 4);
    CHECK(rewound->timeline.tokens == expected);
  }
  {
    auto appended = paused(source);
    const TokenId next[] = {7, 8};
    appended->timeline.append(next);
    appended->generate(kPrompt + 10, 2);
    Alone same(model, told(0.0f), 1);
    same.timeline.append(std::span(appended->timeline.tokens).subspan(1, std::size_t(kPrompt) + 3));
    CHECK(same.timeline.tokens.size() == std::size_t(kPrompt) + 4);
    same.timeline.rewind(0);
    same.timeline.append(std::span(appended->timeline.tokens).first(std::size_t(kPrompt) + 4));
    same.generate(kPrompt + 10, 100);
    CHECK(appended->timeline.tokens == same.timeline.tokens);
  }
  {
    auto original = paused(source);
    Timeline fork(original->timeline);
    Turn turn(*model.impl(), session_pass(told(0.0f), model.info()), 1);
    turn.join(fork);
    turn.step({.max_new_tokens = kTokens - 2});
    CHECK(fork.tokens == expected);
    original->generate(kPrompt + kTokens, 1);
    CHECK(original->timeline.tokens == expected);
  }
  {
    auto settled = paused(source);
    settled->turn.settle();
    CHECK(settled->timeline.under_way == nullptr);
    settled->generate(kPrompt + kTokens, 3);
    CHECK(settled->timeline.tokens == expected);
  }
  {
    auto cancelled = paused(source);
    cancelled->timeline.cancelled = true;
    cancelled->turn.step({.max_new_tokens = 3});
    CHECK(cancelled->turn.members()[0].result.step.stop == StopReason::cancelled);
    cancelled->generate(kPrompt + kTokens, 3);
    CHECK(cancelled->timeline.tokens == expected);
  }
}

TEST_CASE("members of a turn guess, each its own, as far as the rows reach") {
  const Model model = open_fixture("deepseek-v3");
  for (const std::int64_t rows : {3, 5, 64}) {
    CAPTURE(rows);
    SessionOptions options = endless();
    std::vector<std::unique_ptr<Alone>> expected;
    std::vector<std::unique_ptr<Timeline>> members;
    std::vector<Source> sources;
    Turn turn(*model.impl(), {rows, std::min<std::int64_t>(rows, 12), false}, 3);
    for (int i = 0; i < 3; ++i) {
      expected.push_back(std::make_unique<Alone>(model, options, 10 + i));
      expected.back()->generate(10 + i + kTokens, 100);
      sources.push_back({expected.back()->timeline.tokens, 4, std::size_t(i)});
    }
    for (int i = 0; i < 3; ++i) {
      members.push_back(std::make_unique<Timeline>(model.impl(), options));
      members.back()->append(prompt_of(10 + i));
      members.back()->proposer = Source::guess;
      members.back()->proposer_source = &sources[std::size_t(i)];
      turn.join(*members.back());
    }
    const auto enough = [&](int i) { return std::int64_t(members[std::size_t(i)]->tokens.size()) >= 10 + i + kTokens; };
    while (!enough(0) || !enough(1) || !enough(2)) {
      turn.step({.max_new_tokens = 2});
      for (const Turn::Member& member : turn.members()) CHECK(member.result.step.new_tokens <= 2);
    }
    for (int i = 0; i < 3; ++i) {
      const std::vector<TokenId>& said = expected[std::size_t(i)]->timeline.tokens;
      REQUIRE(members[std::size_t(i)]->tokens.size() >= said.size());
      CHECK(std::equal(said.begin(), said.end(), members[std::size_t(i)]->tokens.begin()));
      turn.leave(*members[std::size_t(i)]);
    }
  }
}
