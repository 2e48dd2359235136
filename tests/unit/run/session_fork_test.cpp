// Timelines that branch and go back. The runtime is invariant, so that equal timelines mean equal bits.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "fathom/session.hpp"
#include "support/check_error.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using test::check_error;
using test::endless;
using test::prompt_of;

namespace {

const Model& deepseek() {
  static const Model model = test::open_fixture("deepseek-v3");
  return model;
}

StepOptions generate(std::int64_t tokens, std::int64_t budget_us = 0) {
  StepOptions options;
  options.max_new_tokens = tokens;
  options.budget_us = budget_us;
  return options;
}

std::vector<TokenId> go_on(Session& session, std::int64_t count) {
  session.step(generate(count));
  return session.take_tokens();
}

std::vector<TokenId> alone(const std::vector<TokenId>& prompt, std::int64_t count) {
  return test::continuation(deepseek(), prompt, count);
}

std::vector<TokenId> joined(std::vector<TokenId> a, const std::vector<TokenId>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("a fork goes on as its original does") {
  for (const std::int64_t length : {1, 63, 64, 65, 130}) {
    CAPTURE(length);
    Session original(deepseek(), endless());
    original.append(prompt_of(length));
    original.step(generate(0));
    Session fork = original.fork();
    const std::vector<TokenId> expected = alone(prompt_of(length), 20);
    CHECK(std::ranges::equal(fork.logits(), original.logits()));
    CHECK(go_on(fork, 20) == expected);
    CHECK(go_on(original, 20) == expected);
  }
}

TEST_CASE("forks with different continuations do not touch each other") {
  Session original(deepseek(), endless());
  original.append(prompt_of(100));
  original.step(generate(0));
  Session left = original.fork(), right = original.fork();
  left.append(prompt_of(40, 5));
  right.append(prompt_of(70, 77));
  // In turns, so that each writes while the others' pages are in use.
  std::vector<TokenId> from_left, from_right;
  for (int i = 0; i < 10; ++i) {
    from_left = joined(from_left, go_on(left, 1));
    from_right = joined(from_right, go_on(right, 1));
  }
  CHECK(from_left == alone(joined(prompt_of(100), prompt_of(40, 5)), 10));
  CHECK(from_right == alone(joined(prompt_of(100), prompt_of(70, 77)), 10));
  CHECK(go_on(original, 10) == alone(prompt_of(100), 10));
}

TEST_CASE("a fork outlives its original") {
  std::optional<Session> original(std::in_place, deepseek(), endless());
  original->append(prompt_of(90));
  original->step(generate(0));
  Session fork = original->fork();
  original.reset();
  CHECK(go_on(fork, 10) == alone(prompt_of(90), 10));
}

TEST_CASE("a session can be forked wherever a budget paused it") {
  const std::vector<TokenId> expected = joined(prompt_of(70), alone(prompt_of(70), 5));
  Session paused(deepseek(), endless());
  paused.append(prompt_of(70));
  bool done = false;
  for (int forks = 0; !done; ++forks) {
    Session fork = paused.fork();
    if (forks % 7 == 0) {  // each computes to the end, so not all of them
      const std::int64_t left = 75 - std::int64_t(fork.tokens().size());
      fork.step(generate(left));
      CHECK(std::ranges::equal(fork.tokens(), expected));
    }
    const StepResult result = paused.step(generate(5, 1));
    done = paused.tokens().size() == 75;
    REQUIRE(result.stop == StopReason::none);
  }
  CHECK(std::ranges::equal(paused.tokens(), expected));
}

TEST_CASE("a session rewound goes on as one that never was further") {
  for (const std::int64_t kept : {1, 30, 64, 65, 119, 120}) {
    CAPTURE(kept);
    Session session(deepseek(), endless());
    session.append(prompt_of(100));
    session.step(generate(20));
    session.rewind(kept);
    CHECK(std::int64_t(session.tokens().size()) == kept);
    const std::vector<TokenId> timeline(session.tokens().begin(), session.tokens().end());
    if (kept < 120) CHECK(session.take_tokens().empty());
    session.take_tokens();
    CHECK(go_on(session, 10) == alone(timeline, 10));
  }
}

TEST_CASE("a session rewound into what a fork shares leaves the fork alone") {
  Session original(deepseek(), endless());
  original.append(prompt_of(150));
  original.step(generate(0));
  Session fork = original.fork();
  original.rewind(20);
  original.append(prompt_of(150, 3));
  CHECK(go_on(original, 5) == alone(joined(prompt_of(20), prompt_of(150, 3)), 5));
  CHECK(go_on(fork, 5) == alone(prompt_of(150), 5));
}

TEST_CASE("a session rewound to nothing needs tokens before it steps") {
  Session session(deepseek(), endless());
  session.append(prompt_of(10));
  session.step(generate(1));
  session.rewind(0);
  check_error(Status::wrong_state, {"append"}, [&] { session.step(); });
  session.append(prompt_of(12));
  CHECK(go_on(session, 4) == alone(prompt_of(12), 4));
  check_error(Status::invalid_argument, {"rewind", "99", "16"}, [&] { session.rewind(99); });
  check_error(Status::invalid_argument, {"rewind"}, [&] { session.rewind(-1); });
}

TEST_CASE("sync keeps what two timelines share and says how much") {
  Session session(deepseek(), endless());
  CHECK(session.sync(prompt_of(80)) == 0);
  session.step(generate(0));
  const std::vector<TokenId> branch = joined(prompt_of(50), prompt_of(60, 9));
  CHECK(session.sync(branch) == 50);
  CHECK(go_on(session, 10) == alone(branch, 10));
  const std::vector<TokenId> now(session.tokens().begin(), session.tokens().end());
  CHECK(session.sync(now) == std::int64_t(now.size()));
  CHECK(go_on(session, 3) == alone(now, 3));
}

TEST_CASE("a sync that is refused changes nothing") {
  Session session(deepseek(), endless());
  session.append(prompt_of(30));
  session.step(generate(0));
  check_error(Status::context_full, {"401", "400"}, [&] { session.sync(prompt_of(401)); });
  check_error(Status::invalid_argument, {"100000"}, [&] { session.sync(std::vector<TokenId>{1, 100000}); });
  CHECK(session.tokens().size() == 30);
  CHECK(go_on(session, 5) == alone(prompt_of(30), 5));
}
