// Passes are lent: who holds one, how many there are, what sessions and batches cost beside them.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "base/allocator.hpp"
#include "fathom/batch.hpp"
#include "run/model_impl.hpp"
#include "run/pass_pool.hpp"
#include "support/check_error.hpp"
#include "support/operator_new.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

// Counts what is taken for passes, and refuses it on demand.
class PassMemory final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    ++requests;
    if (purpose == MemoryPurpose::scratch) {
      if (refuses) return nullptr;
      taken += std::int64_t(bytes);
    }
    return heap_allocator().allocate(bytes, alignment, purpose);
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    if (purpose == MemoryPurpose::scratch) taken -= std::int64_t(bytes);
    heap_allocator().release(memory, bytes, alignment, purpose);
  }
  std::atomic<std::int64_t> taken{0}, requests{0};
  std::atomic<bool> refuses{false};
};

struct Counted {
  explicit Counted(const std::string& name) : model(open_fixture(name, host())) {}
  Host host() {
    Host host;
    host.allocator = &memory;
    return host;
  }
  std::int64_t pass_bytes(const SessionOptions& options) const { return model.session_memory(options).scratch_bytes; }
  std::unique_ptr<Session> session(std::int64_t prompt = 40, const SessionOptions& options = endless()) {
    auto made = std::make_unique<Session>(model, options);
    if (prompt > 0) made->append(prompt_of(prompt));
    return made;
  }

  PassMemory memory;
  Model model;
};

SessionOptions with_rows(std::int32_t rows) {
  SessionOptions options = endless();
  options.chunk_rows = rows;
  return options;
}

// In the middle of a pass.
void pause(Session& session) { session.step({.budget_us = 1}); }

}  // namespace

TEST_CASE("sessions that are idle share one pass, and the last one takes it along") {
  Counted counted("deepseek-v3");
  const std::int64_t one = counted.pass_bytes(endless());
  {
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 20; ++i) {
      sessions.push_back(counted.session());
      CHECK(counted.memory.taken == one);
    }
    for (auto& session : sessions) {
      session->step({.max_new_tokens = 3});
      CHECK(counted.memory.taken == one);
    }
    sessions.push_back(std::make_unique<Session>(sessions[3]->fork()));
    CHECK(counted.memory.taken == one);
    sessions.back()->step();
    CHECK(counted.memory.taken == one);
  }
  CHECK(counted.memory.taken == 0);
}

TEST_CASE("steps take no memory, from the host or the heap, and give the pass back") {
  Counted counted("deepseek-v3");
  const auto first = counted.session(), second = counted.session();
  const std::int64_t before = counted.memory.requests, blocks = allocation_count();
  for (int i = 0; i < 5; ++i) {
    first->step({.max_new_tokens = 2});
    second->step({.max_new_tokens = 2});
  }
  CHECK(counted.memory.requests == before);
  CHECK(allocation_count() == blocks);
}

TEST_CASE("a step that is cancelled inside a body gives its pass back, and the session goes on to the same tokens") {
  Counted counted("deepseek-v3");
  const auto cancelled = counted.session(), other = counted.session();
  pause(*cancelled);
  cancelled->cancel();
  CHECK(cancelled->step().stop == StopReason::cancelled);
  const std::int64_t before = counted.memory.requests;
  other->step({.max_new_tokens = 4});
  CHECK(counted.memory.requests == before);
  cancelled->step({.max_new_tokens = 4});
  const std::vector<TokenId> expected = continuation(counted.model, prompt_of(40), 4);
  CHECK(cancelled->take_tokens() == expected);
  CHECK(other->take_tokens() == expected);
}

TEST_CASE("a larger session brings a larger pass, which then serves all") {
  Counted counted("llama3");
  const auto small = counted.session(40, with_rows(8));
  CHECK(counted.memory.taken == counted.pass_bytes(with_rows(8)));
  {
    const auto large = counted.session(40, with_rows(64));
    CHECK(counted.memory.taken == counted.pass_bytes(with_rows(64)));
    large->step();
  }
  small->step({.max_new_tokens = 5});
  CHECK(counted.memory.taken == counted.pass_bytes(with_rows(64)));
  CHECK(small->take_tokens() == continuation(counted.model, prompt_of(40), 5, with_rows(8)));
}

TEST_CASE("a session paused inside a pass keeps it, another one makes its own") {
  Counted counted("deepseek-v3");
  const std::int64_t one = counted.pass_bytes(endless());
  const auto paused = counted.session(), other = counted.session();
  pause(*paused);
  CHECK(counted.memory.taken == one);
  const std::int64_t before = counted.memory.requests;
  other->step({.max_new_tokens = 4});
  CHECK(counted.memory.requests > before);
  CHECK(counted.memory.taken == 2 * one);
  // two were needed at once, so two stay for as long as there are two sessions
  paused->step({.max_new_tokens = 4});
  CHECK(counted.memory.taken == 2 * one);
  const std::vector<TokenId> expected = continuation(counted.model, prompt_of(40), 4);
  CHECK(paused->take_tokens() == expected);
  CHECK(other->take_tokens() == expected);
}

TEST_CASE("fewer sessions need fewer passes") {
  Counted counted("llama3");
  const std::int64_t one = counted.pass_bytes(endless());
  const auto stays = counted.session();
  {
    const auto first = counted.session(), second = counted.session();
    for (Session* each : {stays.get(), first.get(), second.get()}) pause(*each);
    CHECK(counted.memory.taken == 3 * one);
    first->rewind(5);  // drops what it had begun
    CHECK(counted.memory.taken == 3 * one);
  }
  CHECK(counted.memory.taken == one);
  stays->step({.max_new_tokens = 4});
  CHECK(stays->take_tokens() == continuation(counted.model, prompt_of(40), 4));
}

TEST_CASE("a step that gets no pass fails, and the session goes on later") {
  Counted counted("deepseek-v3");
  const auto paused = counted.session(), other = counted.session();
  pause(*paused);
  counted.memory.refuses = true;
  for (int i = 0; i < 2; ++i) {
    check_error(Status::out_of_memory, {"scratch"}, [&] { other->step({.max_new_tokens = 4}); });
    CHECK(other->tokens().size() == 40);
  }
  paused->step({.max_new_tokens = 1});  // and is at rest
  other->step({.max_new_tokens = 4});
  CHECK(other->take_tokens() == continuation(counted.model, prompt_of(40), 4));
  SessionOptions larger = endless(800);
  larger.chunk_rows = 600;
  check_error(Status::out_of_memory, {"scratch"}, [&] { counted.session(0, larger); });
  paused->step({.max_new_tokens = 3});
  CHECK(paused->take_tokens() == continuation(counted.model, prompt_of(40), 4));
}

TEST_CASE("members of a batch hold no pass, also those that were paused on their own") {
  Counted counted("deepseek-v3");
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 8; ++i) sessions.push_back(counted.session(20 + i));
  pause(*sessions[0]);
  Batch batch(counted.model, {.rows = 400, .sessions = 8});
  for (auto& session : sessions) batch.add(*session);
  const std::int64_t joint = counted.memory.taken;
  // the batch has rows as its members do, and more logits
  CHECK(joint < counted.pass_bytes(endless()) + 8 * counted.model.info().vocab_size * 4);
  pause(*sessions[1]);
  while (sessions[1]->tokens().size() < 21 + 5 || sessions[0]->tokens().size() < 20 + 5) {
    batch.step();
    CHECK(counted.memory.taken == joint);
  }
  for (const std::size_t i : {0, 1}) {
    std::vector<TokenId> said = sessions[i]->take_tokens();
    said.resize(5);
    CHECK(said == continuation(counted.model, prompt_of(20 + std::int64_t(i)), 5));
  }
}

TEST_CASE("whichever head was cut when a session joins a batch, it goes on to the same tokens") {
  Counted counted("llama3");
  const std::vector<TokenId> expected = continuation(counted.model, prompt_of(30), 5);
  for (int cut = 1; cut < 200; ++cut) {
    CAPTURE(cut);
    const auto session = counted.session(30);
    for (int i = 0; i < cut; ++i) session->step({.budget_us = 1, .max_new_tokens = 2});
    Batch batch(counted.model, {.rows = 16, .sessions = 1});
    batch.add(*session);
    while (session->tokens().size() < 35) batch.step();
    CHECK(session->take_tokens() == expected);
  }
}

TEST_CASE("a tracing member makes the batch's passes trace, and a failure to do so leaves it outside") {
  Counted counted("deepseek-v3");
  SessionOptions options = endless();
  options.trace_routes = true;
  const auto plain = counted.session(), traced = counted.session(20, options);
  Batch batch(counted.model, {.rows = 450, .sessions = 2});
  batch.add(*plain);
  batch.step({.budget_us = 1});
  counted.memory.refuses = true;
  check_error(Status::out_of_memory, {}, [&] { batch.add(*traced); });
  check_error(Status::invalid_argument, {"no member"}, [&] { batch.remove(*traced); });
  counted.memory.refuses = false;
  batch.add(*traced);
  while (traced->tokens().size() < 23) batch.step();
  CHECK(traced->take_routes().size() == 2 * 22);
}

TEST_CASE("sessions on many threads have a pass each while they step") {
  Counted counted("llama3");
  const std::int64_t one = counted.pass_bytes(endless());
  const std::vector<TokenId> expected = continuation(counted.model, prompt_of(40), 8);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(counted.session());
  std::vector<std::thread> threads;
  for (auto& session : sessions) {
    threads.emplace_back([&session] {
      for (int i = 0; i < 8; ++i) session->step();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& session : sessions) CHECK(session->take_tokens() == expected);
  CHECK(counted.memory.taken <= 4 * one);
  sessions.resize(1);
  CHECK(counted.memory.taken == one);
}

TEST_CASE("the pool lends the smallest pass that is large enough, and gives up what nobody needs") {
  PassMemory memory;
  const Model model = open_fixture("llama3");
  const model::Network& network = *model.impl()->network;
  const auto bytes = [&](const PassLimits& limits) { return PooledPass::bytes_for(network, limits, 2); };
  PassPool pool(network, 2, memory);
  const PassLimits small{8, 4, false}, wide{8, 16, false}, large{64, 16, false};
  {
    PassPool::Seat first(pool, small), second(pool, large);
    CHECK(memory.taken == bytes(large));  // which serves both
    PassPool::Lease lent = first.borrow();
    CHECK(lent->limits.rows == 64);
    PassPool::Lease other = first.borrow();
    CHECK(other->limits.rows == 8);
    CHECK(memory.taken == bytes(large) + bytes(small));
    lent = {};
    other = {};
    CHECK(memory.taken == bytes(large) + bytes(small));  // two were lent at once
    CHECK(first.borrow()->limits.rows == 8);
    PassPool::Seat third(pool, wide);
    CHECK(memory.taken == bytes(large) + bytes(small));
    CHECK(third.borrow()->limits.rows == 64);
  }
  CHECK(memory.taken == 0);
  {
    PassPool::Seat seat(pool, small);
    CHECK(memory.taken == bytes(small));
    memory.refuses = true;
    check_error(Status::out_of_memory, {}, [&] { PassPool::Seat refused(pool, large); });
    CHECK(seat.borrow()->limits.rows == 8);
  }
  CHECK(memory.taken == 0);
}
