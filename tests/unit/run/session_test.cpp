#include "fathom/session.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include "support/check_error.hpp"
#include "support/operator_new.hpp"
#include "unit/model/memory_checkpoint.hpp"

using namespace fathom;
using test::check_error;

namespace {

const Runtime& runtime() {
  static const Runtime one([] {
    RuntimeOptions options;
    options.threads = 2;
    options.invariant = true;
    return options;
  }());
  return one;
}

const Model& fixture(const char* name) {
  static std::vector<std::pair<std::string, Model>> opened;
  for (const auto& [known, model] : opened) {
    if (known == name) return model;
  }
  return opened.emplace_back(name, Model::open(runtime(), test::fixture_folder(name))).second;
}

// llama3 with a tokenizer: ids below 259 are single bytes.
const Model& speaking_model() {
  static test::MemoryFileSystem files = test::MemoryCheckpoint("llama3").files();
  static const Model model = [] {
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      const auto file = os_file_system().open(std::string(FATHOM_TEST_DATA "/tokenizers/tiny-spm/") + name);
      std::string text(std::size_t(file->size()), '\0');
      file->read_at(0, std::as_writable_bytes(std::span(text)));
      files.put(std::string("m/") + name, text);
    }
    RuntimeOptions options;
    options.threads = 1;
    options.host.files = &files;
    return Model::open(Runtime(options), "m");
  }();
  return model;
}

std::vector<TokenId> prompt_of(std::int64_t length, std::int64_t vocab = 320) {
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < length; ++i) ids.push_back(TokenId((i * 37 + 11) % vocab));
  return ids;
}

SessionOptions plain(std::int64_t context = 128) {
  SessionOptions options;
  options.context_length = context;
  options.stop.at_stop_tokens = false;
  return options;
}

StepOptions generate(std::int64_t tokens, std::int64_t budget_us = 0) {
  StepOptions options;
  options.max_new_tokens = tokens;
  options.budget_us = budget_us;
  return options;
}

std::vector<TokenId> generated(const Model& model, const std::vector<TokenId>& prompt, std::int64_t count,
                               const SessionOptions& options) {
  Session session(model, options);
  session.append(prompt);
  session.step(generate(count));
  return session.take_tokens();
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The logits of every position, [positions, vocab], by sessions that take one token a step.
std::vector<float> logits_one_by_one(const Model& model, const std::vector<TokenId>& ids) {
  Session session(model, plain());
  std::vector<float> out;
  for (const TokenId id : ids) {
    session.append({{id}});
    session.step(generate(0));
    out.insert(out.end(), session.logits().begin(), session.logits().end());
  }
  return out;
}

constexpr const char* kModels[] = {"llama3", "gpt-oss", "deepseek-v3"};

}  // namespace

TEST_CASE("a session with impossible options is refused by the option") {
  const Model& model = fixture("llama3");
  const auto refused = [&](std::string_view named, auto change) {
    SessionOptions options = plain();
    change(options);
    check_error(Status::invalid_argument, {named}, [&] { Session(model, options); });
  };
  refused("context_length is -1", [](SessionOptions& o) { o.context_length = -1; });
  refused("expected 1 to 1024", [](SessionOptions& o) { o.context_length = 1025; });
  refused("chunk_rows is 0", [](SessionOptions& o) { o.chunk_rows = 0; });
  refused("chunk_rows is 4097", [](SessionOptions& o) { o.chunk_rows = 4097; });
  refused("cache format 9", [](SessionOptions& o) { o.cache = CacheFormat(9); });
  SessionOptions coarse = plain();
  coarse.cache = CacheFormat::q8_0;  // heads of 16
  check_error(Status::unsupported, {"Q8_0 cache", "32"}, [&] { Session(model, coarse); });
  refused("temperature", [](SessionOptions& o) { o.sampling.temperature = -1.0f; });
  refused("has no tokenizer", [](SessionOptions& o) { o.stop.strings = {"x"}; });
  SessionOptions empty = plain();
  empty.stop.strings = {"a", ""};
  check_error(Status::invalid_argument, {"stop string is empty"}, [&] { Session(speaking_model(), empty); });
}

TEST_CASE("an append that fails leaves nothing queued") {
  Session session(fixture("llama3"), plain(8));
  const TokenId bad[] = {1, 2, 384}, negative[] = {1, -1};
  check_error(Status::invalid_argument, {"token 2", "384", "0 to 383"}, [&] { session.append(bad); });
  check_error(Status::invalid_argument, {"token 1", "-1"}, [&] { session.append(negative); });
  CHECK(session.tokens().empty());
  session.append(prompt_of(5));
  check_error(Status::context_full, {"4 tokens", "5 of 8"}, [&] { session.append(prompt_of(4)); });
  CHECK(session.tokens().size() == 5);
  session.append({});
  session.append(prompt_of(3));
  CHECK(session.tokens().size() == 8);
}

TEST_CASE("there is no step and there are no logits before there is a token") {
  Session session(fixture("llama3"), plain());
  check_error(Status::wrong_state, {"append"}, [&] { session.step(); });
  check_error(Status::wrong_state, {"no logits"}, [&] { session.logits(); });
  session.append(prompt_of(3));
  check_error(Status::wrong_state, {"no logits"}, [&] { session.logits(); });
  check_error(Status::invalid_argument, {"max_new_tokens is -1"}, [&] { session.step(generate(-1)); });
  session.step(generate(0));
  CHECK(session.logits().size() == 384);
}

TEST_CASE("a step tells how many tokens it took in and made, and that none of the prompt is left") {
  Session session(fixture("llama3"), plain());
  session.append(prompt_of(7));
  const StepResult taken = session.step(generate(0));
  CHECK(taken.prompt_tokens == 7);
  CHECK(taken.new_tokens == 0);
  CHECK(taken.queued_tokens == 0);
  CHECK(taken.stop == StopReason::none);
  CHECK(taken.longest_unit_us > 0.0);
  const StepResult made = session.step(generate(3));
  CHECK(made.prompt_tokens == 0);
  CHECK(made.new_tokens == 3);
  CHECK(made.queued_tokens == 0);  // the last one made waits too, but nobody appended it
  session.append(prompt_of(4));
  const StepResult more = session.step(generate(0));
  CHECK(more.prompt_tokens == 4);
  CHECK(session.tokens().size() == 14);
}

TEST_CASE("generation ends when the context is full, and stays ended") {
  Session session(fixture("llama3"), plain(8));
  session.append(prompt_of(5));
  const StepResult result = session.step(generate(10));
  CHECK(result.stop == StopReason::context_full);
  CHECK(result.new_tokens == 3);
  CHECK(session.tokens().size() == 8);
  CHECK(session.take_tokens().size() == 3);
  const StepResult again = session.step(generate(10));
  CHECK(again.stop == StopReason::context_full);
  CHECK(again.new_tokens == 0);
  // A prompt that fills the context to the brim has logits but no room for a token.
  session.reset();
  session.append(prompt_of(8));
  CHECK(session.step(generate(1)).stop == StopReason::context_full);
  CHECK(session.logits().size() == 384);
}

TEST_CASE("steps with a budget of a microsecond come to the same tokens and logits as one without") {
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const Model& model = fixture(name);
    Session whole(model, plain()), bits(model, plain());
    whole.append(prompt_of(30));
    whole.step(generate(12));
    bits.append(prompt_of(30));
    std::int64_t made = 0, taken = 0, steps = 0, queued = 30;
    while (made < 12) {
      const StepResult result = bits.step(generate(12 - made, 1));
      CHECK(result.stop == StopReason::none);
      made += result.new_tokens;
      taken += result.prompt_tokens;
      CHECK(result.queued_tokens == 30 - taken);
      CHECK(result.queued_tokens <= queued);
      queued = result.queued_tokens;
      ++steps;
    }
    CHECK(taken == 30);
    CHECK(steps > 100);
    CHECK(bits.take_tokens() == whole.take_tokens());
    CHECK(same_bits(bits.logits(), whole.logits()));
  }
}

TEST_CASE("chunks of any size come to the same logits with the invariant option") {
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const Model& model = fixture(name);
    const std::vector<float> expected = logits_one_by_one(model, prompt_of(40));
    for (const std::int32_t rows : {1, 7, 16, 512}) {
      SessionOptions options = plain();
      options.chunk_rows = rows;
      Session session(model, options);
      session.append(prompt_of(40));
      session.step(generate(0));
      const std::size_t vocab = std::size_t(model.info().vocab_size);
      CHECK(same_bits(session.logits(), std::span(expected).last(vocab)));
    }
  }
}

TEST_CASE("logits are reported once for every position in order, whatever chunks and budgets") {
  for (const char* name : kModels) {
    const Model& model = fixture(name);
    const std::vector<float> expected = logits_one_by_one(model, prompt_of(37));
    for (const std::int32_t rows : {5, 16, 17, 512}) {
      for (const std::int64_t budget : {0, 1}) {
        CAPTURE(std::string(name));
        CAPTURE(rows);
        CAPTURE(budget);
        SessionOptions options = plain();
        options.chunk_rows = rows;
        Session session(model, options);
        session.append(prompt_of(37));
        std::vector<float> reported;
        std::int64_t next = 0;
        StepOptions step = generate(0, budget);
        step.on_logits = [&](std::int64_t position, std::span<const float> logits) {
          CHECK(position == next++);
          reported.insert(reported.end(), logits.begin(), logits.end());
        };
        do session.step(step);
        while (next < 37);
        // The budget may have ended the step between the last report and the logits that stay.
        while (budget > 0 && [&] {
          try {
            session.logits();
            return false;
          } catch (const Error&) {
            return true;
          }
        }()) {
          session.step(step);
        }
        CHECK(next == 37);
        CHECK(same_bits(reported, expected));
        CHECK(same_bits(session.logits(), std::span(expected).last(std::size_t(model.info().vocab_size))));
      }
    }
  }
}

TEST_CASE("an exception of the host's on its way through a step leaves a session that goes on") {
  const Model& model = fixture("deepseek-v3");
  Session session(model, plain());
  session.append(prompt_of(20));
  StepOptions step = generate(0);
  step.on_logits = [](std::int64_t position, std::span<const float>) {
    if (position == 3) throw std::runtime_error("the host's");
  };
  CHECK_THROWS_AS(session.step(step), std::runtime_error);
  session.step(generate(0));
  const std::vector<float> expected = logits_one_by_one(model, prompt_of(20));
  CHECK(same_bits(session.logits(), std::span(expected).last(384)));
}

TEST_CASE("whichever allocation of a step fails, the session goes on to the same tokens") {
  for (const char* name : {"llama3", "deepseek-v3"}) {
    CAPTURE(std::string(name));
    const Model& model = fixture(name);
    SessionOptions options = plain();
    options.chunk_rows = 8;
    options.trace_routes = true;
    const std::vector<TokenId> expected = generated(model, prompt_of(20), 6, options);
    bool failed = true;
    for (int granted = 0; failed && granted < 2000; granted += granted < 40 ? 1 : 97) {
      Session session(model, options);
      session.append(prompt_of(20));
      failed = false;
      {
        const test::FailingNew failing(granted);
        try {
          session.step(generate(6));
        } catch (const std::bad_alloc&) {
          failed = true;
        }
      }
      const std::int64_t made = std::int64_t(session.tokens().size()) - 20;
      session.step(generate(6 - made));
      CHECK(session.take_tokens() == expected);
    }
  }
}

TEST_CASE("cancelling without a step ends the next one, and only that") {
  const Model& model = fixture("llama3");
  const std::vector<TokenId> expected = generated(model, prompt_of(10), 5, plain());
  Session session(model, plain());
  session.append(prompt_of(10));
  session.cancel();
  const StepResult result = session.step(generate(5));
  CHECK(result.stop == StopReason::cancelled);
  CHECK(result.new_tokens == 0);
  CHECK(session.step(generate(5)).new_tokens == 5);
  CHECK(session.take_tokens() == expected);
}

TEST_CASE("cancelling from another thread ends a step under way, which can be gone on with") {
  const Model& model = fixture("deepseek-v3");
  const std::vector<TokenId> expected = generated(model, prompt_of(10), 40, plain());
  Session session(model, plain());
  session.append(prompt_of(10));
  StepOptions step = generate(40);
  step.on_logits = [&](std::int64_t position, std::span<const float>) {
    if (position == 25) std::thread([&] { session.cancel(); }).join();
  };
  const StepResult result = session.step(step);
  CHECK(result.stop == StopReason::cancelled);
  CHECK(session.tokens().size() == 26);  // position 25 was reported, and nothing was drawn after it
  session.step(generate(40 - result.new_tokens));
  CHECK(session.take_tokens() == expected);
}

TEST_CASE("a reset session does again what it did, also by the same seed") {
  const Model& model = fixture("gpt-oss");
  SessionOptions options = plain();
  options.sampling.temperature = 1.5f;
  options.sampling.seed = 5;
  const std::vector<TokenId> expected = generated(model, prompt_of(9), 30, options);
  Session session(model, options);
  session.append(prompt_of(25));
  session.step(generate(3, 0));
  session.append(prompt_of(25));
  session.step(generate(0, 1));  // in the middle of a pass
  session.cancel();
  session.reset();
  CHECK(session.tokens().empty());
  CHECK(session.take_tokens().empty());
  check_error(Status::wrong_state, {}, [&] { session.logits(); });
  check_error(Status::wrong_state, {}, [&] { session.step(); });
  session.append(prompt_of(9));
  CHECK(session.step(generate(30)).new_tokens == 30);
  CHECK(session.take_tokens() == expected);
}

TEST_CASE("a stop token ends the turn, stands in the timeline, and is not handed out") {
  const Model& model = fixture("llama3");
  const std::vector<TokenId> free = generated(model, prompt_of(10), 20, plain());
  // The first token that did not come before ends generation where it stands.
  std::size_t at = 1;
  while (std::find(free.begin(), free.begin() + std::ptrdiff_t(at), free[at]) != free.begin() + std::ptrdiff_t(at)) ++at;
  SessionOptions options = plain();
  options.stop.tokens = {free[at]};
  Session session(model, options);
  session.append(prompt_of(10));
  const StepResult result = session.step(generate(20));
  CHECK(result.stop == StopReason::stop_token);
  CHECK(result.new_tokens == std::int64_t(at) + 1);
  CHECK(session.tokens().back() == free[at]);
  CHECK(session.take_tokens() == std::vector<TokenId>(free.begin(), free.begin() + std::ptrdiff_t(at)));
  CHECK(session.step(generate(20)).stop == StopReason::stop_token);

  // An append ends the stop; the timeline is as if all of it had been the prompt.
  session.append(prompt_of(3));
  CHECK(session.step(generate(0)).prompt_tokens == 3);
  Session fresh(model, plain());
  fresh.append(session.tokens());
  fresh.step(generate(0));
  CHECK(same_bits(session.logits(), fresh.logits()));
}

TEST_CASE("the checkpoint's own stop tokens count unless they are switched off") {
  test::MemoryCheckpoint checkpoint("llama3");
  std::string& head = checkpoint.tensor("lm_head.weight").bytes;
  std::fill(head.begin(), head.end(), '\0');  // all logits are 0, so the greedy token is 0
  test::MemoryFileSystem files = checkpoint.files();
  RuntimeOptions options;
  options.threads = 1;
  options.host.files = &files;
  files.put("m/generation_config.json", R"({"eos_token_id": [7, 0]})");
  const Model model = Model::open(Runtime(options), "m");
  SessionOptions at_stops;
  Session session(model, at_stops);
  session.append(prompt_of(4));
  CHECK(session.step(generate(5)).stop == StopReason::stop_token);
  at_stops.stop.at_stop_tokens = false;
  Session on(model, at_stops);
  on.append(prompt_of(4));
  CHECK(on.step(generate(5)).new_tokens == 5);
}

TEST_CASE("text is what the tokenizer makes of the tokens, and a stop string ends it across tokens") {
  const Model& model = speaking_model();
  SessionOptions options = plain();
  options.sampling.temperature = 3.0f;
  Session session(model, options);
  session.append(prompt_of(6));
  std::string text;
  std::vector<TokenId> ids;
  for (int i = 0; i < 40; ++i) {
    session.step();
    text += session.take_text();
    for (const TokenId id : session.take_tokens()) ids.push_back(id);
  }
  const std::string whole = model.tokenizer().decode(ids);
  CHECK(whole.starts_with(text));
  CHECK(whole.size() - text.size() < 4 * 40);

  // The same again with a stop string from the middle of that text.
  std::size_t at = text.size() / 2;
  while (at > 0 && (text[at] & 0xc0) == 0x80) --at;
  std::size_t end = std::min(at + 6, text.size());
  while (end < text.size() && (text[end] & 0xc0) == 0x80) ++end;
  const std::string stop = text.substr(at, end - at);
  options.stop.strings = {stop};
  Session stopped(model, options);
  stopped.append(prompt_of(6));
  CHECK(stopped.step(generate(40)).stop == StopReason::stop_string);
  CHECK(stopped.take_text() == text.substr(0, text.find(stop)));
}

TEST_CASE("text that nobody took survives an append after a stop") {
  SessionOptions options = plain(12);
  options.sampling.temperature = 3.0f;
  Session taken(speaking_model(), options), kept(speaking_model(), options);
  std::string expected;
  for (Session* session : {&taken, &kept}) {
    session->append(prompt_of(4));
    session->step(generate(3));
    StopOptions stop;
    stop.at_stop_tokens = false;
    for (TokenId id = 0; id < 384; ++id) stop.tokens.push_back(id);
    session->set_stop(stop);
    CHECK(session->step(generate(1)).stop == StopReason::stop_token);
    if (session == &taken) expected = session->take_text();
    session->append(prompt_of(1));
    session->step(generate(0));
  }
  CHECK_FALSE(expected.empty());
  CHECK(kept.take_text() == expected);
}

TEST_CASE("routes come by position, then layer, once each, and only when asked for") {
  const Model& model = fixture("deepseek-v3");
  SessionOptions options = plain();
  options.trace_routes = true;
  options.chunk_rows = 6;
  Session session(model, options);
  session.append(prompt_of(15));
  session.step(generate(4));
  const std::vector<Route> routes = session.take_routes();
  // The last token made has not gone through the model yet.
  REQUIRE(routes.size() == 2 * (15 + 3));
  for (std::size_t i = 0; i < routes.size(); ++i) {
    CHECK(routes[i].position == std::int64_t(i / 2));
    CHECK(routes[i].layer == std::int32_t(1 + i % 2));
    CHECK(routes[i].experts.size() == 4);
    CHECK(std::is_sorted(routes[i].experts.begin(), routes[i].experts.end()));
    CHECK(routes[i].weights.size() == 4);
  }
  CHECK(session.take_routes().empty());
  Session quiet(model, plain());
  quiet.append(prompt_of(3));
  quiet.step();
  check_error(Status::wrong_state, {"trace_routes"}, [&] { quiet.take_routes(); });
}

TEST_CASE("sessions of one model on two threads compute what they compute alone") {
  const Model& model = fixture("deepseek-v3");
  const std::vector<TokenId> first = generated(model, prompt_of(20), 40, plain());
  const std::vector<TokenId> second = generated(model, prompt_of(33, 97), 40, plain());
  for (int round = 0; round < 3; ++round) {
    std::vector<TokenId> by_thread;
    std::thread other([&] { by_thread = generated(model, prompt_of(20), 40, plain()); });
    const std::vector<TokenId> here = generated(model, prompt_of(33, 97), 40, plain());
    other.join();
    CHECK(by_thread == first);
    CHECK(here == second);
  }
}

TEST_CASE("a session that was moved goes on where it was") {
  const Model& model = fixture("llama3");
  const std::vector<TokenId> expected = generated(model, prompt_of(5), 6, plain());
  Session first(model, plain());
  first.append(prompt_of(5));
  first.step(generate(2));
  Session second(std::move(first));
  second.step(generate(4));
  CHECK(second.take_tokens() == expected);
}

TEST_CASE("a session takes as much memory as the model said it would") {
  class Counting final : public Allocator {
   public:
    void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose) noexcept override {
      taken += std::int64_t(bytes);
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    }
    void release(void* memory, std::size_t bytes, std::size_t, MemoryPurpose) noexcept override {
      taken -= std::int64_t(bytes);
      std::free(memory);
    }
    std::int64_t taken = 0;
  };
  Counting allocator;
  RuntimeOptions options;
  options.threads = 2;
  options.host.allocator = &allocator;
  const Model model = Model::open(Runtime(options), test::fixture_folder("deepseek-v3"));
  const std::int64_t weights = allocator.taken;
  {
    const Session session(model, plain(300));
    CHECK(allocator.taken - weights == model.session_bytes(300));
  }
  CHECK(allocator.taken == weights);
}
