#include "fathom/batch.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>

#include "support/check_error.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

constexpr std::int64_t kTokens = 12;

// Sessions with prompts of different lengths, and what each says when it is alone.
struct Choir {
  Choir(const Model& model_, int size) : model(model_) {
    const std::int64_t lengths[] = {5, 70, 1, 130, 33, 64, 2, 90};
    for (int i = 0; i < size; ++i) {
      prompts.push_back(prompt_of(lengths[i % 8], i));
      sessions.push_back(std::make_unique<Session>(model, endless()));
      sessions.back()->append(prompts.back());
    }
  }
  void join(Batch& batch) {
    for (auto& session : sessions) batch.add(*session);
  }
  std::vector<TokenId> alone(std::size_t i) const { return continuation(model, prompts[i], kTokens); }
  // Steps until each has its tokens.
  void sing(Batch& batch, std::int64_t budget_us = 0) {
    for (int steps = 0; steps < 100000; ++steps) {
      bool enough = true;
      for (auto& session : sessions) {
        const auto i = std::size_t(&session - sessions.data());
        enough &= session->tokens().size() >= prompts[i].size() + kTokens;
      }
      if (enough) return;
      batch.step({.budget_us = budget_us, .max_new_tokens = 1});
    }
    FAIL("the batch does not come to an end");
  }
  std::vector<TokenId> sung(std::size_t i) {
    std::vector<TokenId> tokens = sessions[i]->take_tokens();
    tokens.resize(std::min<std::size_t>(tokens.size(), kTokens));
    return tokens;
  }

  const Model& model;
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::unique_ptr<Session>> sessions;
};

}  // namespace

TEST_CASE("members say what they say alone, whatever their number, the rows and the budget") {
  for (const std::string& shape : kShapes) {
    const Model model = open_fixture(shape);
    for (const int size : {1, 2, 8}) {
      for (const std::int32_t rows : {8, 512}) {
        for (const std::int64_t budget_us : {0, 1}) {
          CAPTURE(shape);
          CAPTURE(size);
          CAPTURE(rows);
          CAPTURE(budget_us);
          Batch batch(model, {.rows = rows, .sessions = 8});
          Choir choir(model, size);
          choir.join(batch);
          choir.sing(batch, budget_us);
          for (std::size_t i = 0; i < choir.sessions.size(); ++i) CHECK(choir.sung(i) == choir.alone(i));
        }
      }
    }
  }
}

TEST_CASE("a member that generates gets its token in the step in which a long prompt is taken in") {
  const Model model = open_fixture("deepseek-v3");
  Batch batch(model, {.rows = 16, .sessions = 4});
  Session speaker(model, endless()), reader(model, endless());
  speaker.append(prompt_of(3));
  speaker.step({.max_new_tokens = 0});
  reader.append(prompt_of(200));
  batch.add(speaker);
  batch.add(reader);
  for (int i = 0; i < 5; ++i) {
    const BatchResult result = batch.step();
    CHECK(batch.last_result(speaker).step.new_tokens == 1);
    CHECK(batch.last_result(reader).step.new_tokens == 0);
    CHECK(result.new_tokens == 1);
    if (i > 0) CHECK(result.prompt_tokens == 15);
  }
  CHECK(batch.last_result(reader).step.queued_tokens == 200 - 4 * 15);
}

TEST_CASE("prompts share the rows") {
  const Model model = open_fixture("llama3");
  Batch batch(model, {.rows = 10, .sessions = 4});
  Session a(model, endless()), b(model, endless()), c(model, endless());
  for (Session* each : {&a, &b, &c}) {
    each->append(prompt_of(60));
    batch.add(*each);
  }
  // the shortest budget there is ends every step after some unit: look whenever a pass has ended
  for (int i = 0; i < 20000; ++i) {
    batch.step({.budget_us = 1, .max_new_tokens = 0});
    const std::int64_t left[] = {batch.last_result(a).step.queued_tokens, batch.last_result(b).step.queued_tokens,
                                 batch.last_result(c).step.queued_tokens};
    const auto [least, most] = std::minmax({left[0], left[1], left[2]});
    CHECK(most - least <= 1);
    if (most == 0) return;
  }
  FAIL("the prompts were not taken in");
}

TEST_CASE("one member's end leaves the others alone") {
  const Model model = open_fixture("mixtral");
  Batch batch(model);
  Session small(model, endless(8)), large(model, endless());
  small.append(prompt_of(6));
  large.append(prompt_of(20));
  batch.add(small);
  batch.add(large);
  for (int i = 0; i < 6; ++i) batch.step();
  CHECK(batch.last_result(small).step.stop == StopReason::context_full);
  CHECK(small.tokens().size() == 8);
  large.step({.max_new_tokens = 12 - std::int64_t(large.tokens().size() - 20)});  // by itself, in between
  CHECK(large.take_tokens() == continuation(model, prompt_of(20), 12));
  const BatchResult result = batch.step();
  CHECK(result.sessions == 2);
  CHECK(result.active == 1);
  CHECK(result.failed == 0);
}

TEST_CASE("a member that is changed, removed or destroyed inside a pass disturbs nobody") {
  const Model model = open_fixture("deepseek-v3");
  for (const int units : {1, 5, 20, 60, 90}) {
    CAPTURE(units);
    Batch batch(model, {.rows = 64, .sessions = 8});
    Choir choir(model, 3);
    choir.join(batch);
    auto leaving = std::make_unique<Session>(model, endless());
    auto changing = std::make_unique<Session>(model, endless());
    Session removed(model, endless());
    for (Session* each : {leaving.get(), changing.get(), &removed}) {
      each->append(prompt_of(50, 3));
      batch.add(*each);
    }
    for (int i = 0; i < units; ++i) batch.step({.budget_us = 1, .max_new_tokens = 1});
    leaving.reset();
    changing->rewind(std::min<std::int64_t>(10, std::int64_t(changing->tokens().size())));
    batch.remove(removed);
    choir.sing(batch);
    for (std::size_t i = 0; i < choir.sessions.size(); ++i) CHECK(choir.sung(i) == choir.alone(i));
    removed.take_tokens();
    removed.sync(prompt_of(50, 3));
    removed.step({.max_new_tokens = kTokens});
    CHECK(removed.take_tokens() == continuation(model, prompt_of(50, 3), kTokens));
  }
}

TEST_CASE("the batch may go before its members, in the middle of a pass") {
  const Model model = open_fixture("llama3");
  Session session(model, endless());
  session.append(prompt_of(40));
  {
    Batch batch(model);
    batch.add(session);
    batch.step({.budget_us = 1});
  }
  session.step({.max_new_tokens = 5 - std::int64_t(session.tokens().size() - 40)});
  CHECK(session.take_tokens() == continuation(model, prompt_of(40), 5));
  Batch next(model);
  next.add(session);
}

TEST_CASE("a cancelled member stops, the others go on") {
  const Model model = open_fixture("llama3");
  Batch batch(model);
  Session a(model, endless()), b(model, endless());
  a.append(prompt_of(4));
  b.append(prompt_of(4));
  batch.add(a);
  batch.add(b);
  a.cancel();
  batch.step();
  CHECK(batch.last_result(a).step.stop == StopReason::cancelled);
  CHECK(batch.last_result(a).step.new_tokens == 0);
  CHECK(batch.last_result(b).step.new_tokens == 1);
  batch.step();
  CHECK(batch.last_result(a).step.stop == StopReason::none);
}

TEST_CASE("members keep their probabilities and routes as when alone") {
  const Model model = open_fixture("deepseek-v3");
  SessionOptions options = endless();
  options.top_logprobs = 3;
  options.trace_routes = true;
  options.count_routes = true;
  Session alone(model, options), member(model, options), mate(model, endless());
  for (Session* each : {&alone, &member, &mate}) each->append(prompt_of(30, each == &mate ? 1 : 2));
  alone.step({.max_new_tokens = 6});
  Batch batch(model, {.rows = 16, .sessions = 2});
  batch.add(member);
  batch.add(mate);
  while (member.tokens().size() < 36) batch.step();
  const auto a = alone.take_logprobs(), b = member.take_logprobs();
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].token == b[i].token);
    CHECK(a[i].logprob == b[i].logprob);
  }
  const auto routes_alone = alone.take_routes(), routes = member.take_routes();
  REQUIRE(routes.size() == routes_alone.size());
  for (std::size_t i = 0; i < routes.size(); ++i) CHECK(routes[i].experts == routes_alone[i].experts);
  for (std::int64_t layer = 0; layer < model.info().layers; ++layer) {
    CHECK(alone.route_totals(layer).counts == member.route_totals(layer).counts);
  }
}

TEST_CASE("wrong uses are refused") {
  const Model model = open_fixture("llama3"), other = open_fixture("mixtral");
  check_error(Status::invalid_argument, {"rows"}, [&] { Batch(model, {.rows = 0}); });
  check_error(Status::invalid_argument, {"sessions"}, [&] { Batch(model, {.rows = 4, .sessions = 5}); });
  Batch batch(model, {.rows = 4, .sessions = 1}), second(model);
  Session a(model, endless()), b(model, endless()), foreign(other, endless());
  check_error(Status::invalid_argument, {"another model"}, [&] { batch.add(foreign); });
  check_error(Status::invalid_argument, {"no member"}, [&] { batch.remove(a); });
  check_error(Status::invalid_argument, {"no member"}, [&] { batch.last_result(a); });
  batch.add(a);
  check_error(Status::invalid_argument, {"already"}, [&] { batch.add(a); });
  check_error(Status::invalid_argument, {"another batch"}, [&] { second.add(a); });
  check_error(Status::invalid_argument, {"full"}, [&] { batch.add(b); });
  check_error(Status::invalid_argument, {"max_new_tokens"}, [&] { batch.step({.max_new_tokens = -1}); });
  CHECK(batch.step().active == 0);
}

TEST_CASE("time is accounted by part, and what a batch did is in the batch's account") {
  const Model model = open_fixture("deepseek-v3");
  const auto sum = [](const PartTimes& p) {
    return p.attention_us + p.router_us + p.experts_us + p.mlp_us + p.head_us + p.other_us;
  };
  Session session(model, endless());
  CHECK(sum(session.part_times()) == 0.0);
  session.append(prompt_of(20));
  const auto start = std::chrono::steady_clock::now();
  session.step({.max_new_tokens = 4});
  const double elapsed_us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  const PartTimes spent = session.part_times();
  for (const double part :
       {spent.attention_us, spent.router_us, spent.experts_us, spent.mlp_us, spent.head_us, spent.other_us}) {
    CHECK(part > 0.0);
  }
  CHECK(sum(spent) < elapsed_us);
  session.reset();
  CHECK(sum(session.part_times()) == sum(spent));

  Batch batch(model, {.rows = 8, .sessions = 1});
  batch.add(session);
  session.append(prompt_of(20));
  batch.step({.max_new_tokens = 0});
  CHECK(sum(session.part_times()) == sum(spent));
  CHECK(batch.part_times().experts_us > 0.0);
}
