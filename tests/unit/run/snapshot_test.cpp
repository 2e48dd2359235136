// Sessions as bytes.
#include <doctest/doctest.h>

#include <cstring>

#include "support/check_error.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

using Bytes = std::vector<std::byte>;

Bytes save(const Session& session) {
  Bytes bytes;
  session.save([&](std::span<const std::byte> piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
  return bytes;
}

void restore(Session& session, const Bytes& bytes) {
  std::size_t at = 0;
  session.restore([&](std::span<std::byte> out) {
    if (out.size() > bytes.size() - at) throw Error(Status::io_error, "the bytes are at an end");
    std::memcpy(out.data(), bytes.data() + at, out.size());
    at += out.size();
  });
  CHECK(at == bytes.size());
}

std::vector<TokenId> go_on(Session& session, std::int64_t count) {
  session.step({.max_new_tokens = count});
  return session.take_tokens();
}

}  // namespace

TEST_CASE("a restored session goes on with the same bits") {
  for (const std::string& shape : kShapes) {
    const Model model = open_fixture(shape);
    for (const std::int64_t length : {1, 63, 64, 65, 130}) {
      for (const float temperature : {0.0f, 1.0f}) {
        CAPTURE(shape);
        CAPTURE(length);
        CAPTURE(temperature);
        SessionOptions options = endless();
        options.sampling.temperature = temperature;
        options.sampling.seed = 5;
        options.top_logprobs = 2;
        Session original(model, options);
        original.append(prompt_of(length));
        original.step({.max_new_tokens = 7});
        const Bytes bytes = save(original);
        CHECK(std::int64_t(bytes.size()) == original.saved_bytes());
        Session copy(model, endless());
        copy.append(prompt_of(20, 99));
        copy.step({.max_new_tokens = 3});
        restore(copy, bytes);
        CHECK(std::ranges::equal(copy.tokens(), original.tokens()));
        CHECK(copy.take_tokens() == original.take_tokens());
        CHECK(copy.take_logprobs().size() == 7 * 3);
        original.take_logprobs();
        CHECK(go_on(copy, 20) == go_on(original, 20));
        CHECK(std::ranges::equal(copy.logits(), original.logits()));
        CHECK(save(copy) == save(original));
      }
    }
  }
}

TEST_CASE("what is queued, cut by a budget, or not begun is restored as well") {
  const Model model = open_fixture("deepseek-v3");
  for (const int steps : {0, 1, 10, 40, 80}) {
    CAPTURE(steps);
    Session original(model, endless());
    original.append(prompt_of(100));
    for (int i = 0; i < steps; ++i) original.step({.budget_us = 1});
    Session copy(model, endless());
    restore(copy, save(original));
    const auto generated = std::int64_t(original.tokens().size()) - 100;
    CHECK(std::ranges::equal(copy.tokens(), original.tokens()));
    copy.step({.max_new_tokens = 10 - generated});
    CHECK(copy.take_tokens() == continuation(model, prompt_of(100), 10));
  }
  Session empty(model, endless()), full(model, endless());
  full.append(prompt_of(3));
  restore(full, save(empty));
  CHECK(full.tokens().empty());
  check_error(Status::wrong_state, {"append"}, [&] { full.step(); });
}

TEST_CASE("a stop is restored") {
  const Model model = open_fixture("llama3");
  Session original(model, endless(12));
  original.append(prompt_of(8));
  CHECK(original.step({.max_new_tokens = 50}).stop == StopReason::context_full);
  Session copy(model, endless(12));
  restore(copy, save(original));
  CHECK(copy.step().stop == StopReason::context_full);
}

TEST_CASE("damage anywhere is found, and the session stays as it was") {
  const Model model = open_fixture("mixtral");
  Session original(model, endless(32));
  original.append(prompt_of(5));
  original.step({.max_new_tokens = 2});
  const Bytes bytes = save(original);
  Session victim(model, endless(32));
  victim.append(prompt_of(9, 4));
  victim.step({.max_new_tokens = 2});
  const Bytes before = save(victim);
  const auto refuses = [&](const Bytes& wrong) {
    try {
      restore(victim, wrong);
      FAIL_CHECK("damage went unseen");
    } catch (const Error& error) {
      CHECK(!error.message().empty());
      CHECK(error.status() != Status::internal);
    }
  };
  const std::size_t stride = std::max<std::size_t>(1, bytes.size() / 1500);
  for (std::size_t at = 0; at < bytes.size(); at += at < 600 ? 1 : stride) {
    Bytes wrong = bytes;
    wrong[at] ^= std::byte(1 << (at % 8));
    CAPTURE(at);
    refuses(wrong);
    wrong.assign(bytes.begin(), bytes.begin() + std::ptrdiff_t(at));
    refuses(wrong);
  }
  CHECK(save(victim) == before);
  restore(victim, bytes);
  CHECK(go_on(victim, 5) == go_on(original, 5));
}

TEST_CASE("states of other models, other caches and longer ones are refused by name") {
  const Model model = open_fixture("llama3"), other = open_fixture("mistral");
  Session original(model, endless(64));
  original.append(prompt_of(40));
  original.step({.max_new_tokens = 1});
  const Bytes bytes = save(original);
  Session foreign(other, endless(64));
  check_error(Status::invalid_argument, {"another model"}, [&] { restore(foreign, bytes); });
  SessionOptions half = endless(64);
  half.cache = CacheFormat::bf16;
  Session narrow(model, half), small(model, endless(20));
  check_error(Status::invalid_argument, {"format"}, [&] { restore(narrow, bytes); });
  check_error(Status::context_full, {"41", "20"}, [&] { restore(small, bytes); });
  check_error(Status::corrupt_file, {"no saved session"}, [&] { restore(small, Bytes(500)); });
}
