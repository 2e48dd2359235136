// cancel(): which step it ends, and which not.
#include <doctest/doctest.h>

#include <csignal>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "fathom/batch.hpp"
#include "fathom/session.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

Session* in_handler = nullptr;
void cancel_in_handler(int) { in_handler->cancel(); }

// What a host may do between two answers.
struct Change {
  const char* name;
  std::function<void(Session&)> make;
};

std::vector<Change> changes() {
  return {{"append", [](Session& s) { s.append(prompt_of(3)); }},
          {"append of nothing", [](Session& s) { s.append({}); }},
          {"sync", [](Session& s) { s.sync(prompt_of(12)); }},
          {"sync to the same",
           [](Session& s) {
             const std::vector<TokenId> same(s.tokens().begin(), s.tokens().end());
             s.sync(same);
           }},
          {"rewind", [](Session& s) { s.rewind(6); }},
          {"rewind to the end", [](Session& s) { s.rewind(std::int64_t(s.tokens().size())); }},
          {"reset",
           [](Session& s) {
             s.reset();
             s.append(prompt_of(4));
           }},
          {"restore", [](Session& s) {
             std::vector<std::byte> bytes;
             s.save([&](std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); });
             std::size_t at = 0;
             s.restore([&](std::span<std::byte> out) {
               std::copy_n(bytes.begin() + std::ptrdiff_t(at), out.size(), out.begin());
               at += out.size();
             });
           }}};
}

}  // namespace

TEST_CASE("a cancel that came too late for an answer does not end the one after the next change") {
  const Model model = open_fixture("llama3");
  for (const Change& change : changes()) {
    CAPTURE(change.name);
    Session session(model, endless());
    session.append(prompt_of(10));
    session.step({.max_new_tokens = 2});
    session.cancel();
    change.make(session);
    const StepResult result = session.step({.max_new_tokens = 3});
    CHECK(result.stop == StopReason::none);
    CHECK(result.new_tokens == 3);
  }
}

TEST_CASE("so it is with members of a batch") {
  const Model model = open_fixture("llama3");
  for (const Change& change : changes()) {
    CAPTURE(change.name);
    Session session(model, endless()), mate(model, endless());
    Batch batch(model, {.rows = 64, .sessions = 2});
    for (Session* each : {&session, &mate}) {
      each->append(prompt_of(10));
      batch.add(*each);
    }
    batch.step({.max_new_tokens = 2});
    session.cancel();
    change.make(session);
    batch.step({.max_new_tokens = 0});
    CHECK(batch.last_result(session).step.stop == StopReason::none);
    batch.step({.max_new_tokens = 2});
    CHECK(batch.last_result(session).step.new_tokens == 2);
  }
}

TEST_CASE("a change that is refused keeps the cancel") {
  const Model model = open_fixture("llama3");
  Session session(model, endless(20));
  session.append(prompt_of(10));
  session.cancel();
  CHECK_THROWS_AS(session.append(prompt_of(11)), Error);
  CHECK_THROWS_AS(session.rewind(11), Error);
  CHECK(session.step().stop == StopReason::cancelled);
  CHECK(session.step().stop == StopReason::none);
}

TEST_CASE("a fork is not cancelled with its original") {
  const Model model = open_fixture("llama3");
  Session session(model, endless());
  session.append(prompt_of(10));
  session.cancel();
  Session fork = session.fork();
  CHECK(fork.step().stop == StopReason::none);
  CHECK(session.step().stop == StopReason::cancelled);
}

TEST_CASE("a cancel during a step of a batch ends the member's part, a long prompt's too") {
  const Model model = open_fixture("deepseek-v3");
  Session reader(model, endless(2000)), mate(model, endless(2000));
  reader.append(prompt_of(1900));
  mate.append(prompt_of(1900, 3));
  Batch batch(model, {.rows = 2000, .sessions = 2});
  batch.add(reader);
  batch.add(mate);
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    reader.cancel();
    mate.cancel();
  });
  batch.step({.max_new_tokens = 0});
  canceller.join();
  CHECK(batch.last_result(reader).step.stop == StopReason::cancelled);
  CHECK(batch.last_result(reader).step.prompt_tokens == 0);
  batch.step({.max_new_tokens = 0});
  CHECK(batch.last_result(reader).step.prompt_tokens == 1900);
}

TEST_CASE("a signal handler may cancel: a step under way ends") {
  const Model model = open_fixture("deepseek-v3");
  Session session(model, endless());
  session.append(prompt_of(10));
  in_handler = &session;
  const auto before = std::signal(SIGUSR1, cancel_in_handler);
  StepOptions step{.max_new_tokens = 40};
  step.on_logits = [](std::int64_t position, std::span<const float>) {
    if (position == 20) std::raise(SIGUSR1);
  };
  const StepResult result = session.step(step);
  std::signal(SIGUSR1, before);
  CHECK(result.stop == StopReason::cancelled);
  CHECK(session.tokens().size() == 21);
  session.step({.max_new_tokens = 40 - result.new_tokens});
  CHECK(session.take_tokens() == continuation(model, prompt_of(10), 40));
}
