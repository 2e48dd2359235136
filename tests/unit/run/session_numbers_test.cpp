// Logits that are not numbers end in a status, not in a token.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>

#include "fathom/batch.hpp"
#include "fathom/session.hpp"
#include "support/check_error.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

constexpr std::uint16_t kNanBf16 = 0x7fc0;

// llama3 with every `stride`-th value of a tensor, all in BF16, made `value`.
class Broken {
 public:
  Broken(const char* tensor, std::uint16_t value, std::size_t stride) : files_(make(tensor, value, stride)) {
    RuntimeOptions options;
    options.threads = 2;
    options.host.files = &files_;
    model = std::make_unique<Model>(Model::open(Runtime(options), "m"));
  }
  std::unique_ptr<Model> model;

 private:
  static MemoryFileSystem make(const char* tensor, std::uint16_t value, std::size_t stride) {
    MemoryCheckpoint checkpoint("llama3");
    std::string& bytes = checkpoint.tensor(tensor).bytes;
    for (std::size_t at = 0; at + 2 <= bytes.size(); at += 2 * stride) std::memcpy(bytes.data() + at, &value, 2);
    return checkpoint.files();
  }
  MemoryFileSystem files_;
};

constexpr std::size_t kOnlyFirst = std::size_t{1} << 30;

}  // namespace

TEST_CASE("logits that are no numbers end the step with position and count, again and again") {
  const Broken broken("model.norm.weight", kNanBf16, 1);
  for (const float temperature : {0.0f, 1.0f}) {
    SessionOptions options = endless();
    options.sampling.temperature = temperature;
    options.top_logprobs = 2;
    Session session(*broken.model, options);
    session.append(prompt_of(10));
    for (int i = 0; i < 3; ++i) {
      check_error(Status::corrupt_file, {"384 of 384 logits", "position 10", "NaN"}, [&] { session.step(); });
      CHECK(session.tokens().size() == 10);
      CHECK(session.take_tokens().empty());
      CHECK(session.take_logprobs().empty());
    }
    CHECK(std::isnan(session.logits()[0]));  // to be looked at
    session.rewind(4);
    check_error(Status::corrupt_file, {"position 4"}, [&] { session.step(); });
    CHECK(session.step({.max_new_tokens = 0}).stop == StopReason::none);
  }
}

TEST_CASE("one logit that is no number is enough") {
  const Broken nan("lm_head.weight", kNanBf16, kOnlyFirst);
  Session session(*nan.model, endless());
  session.append(prompt_of(10));
  check_error(Status::corrupt_file, {"1 of 384 logits", "position 10"}, [&] { session.step(); });
}

TEST_CASE("a cache in F16 overflows, which the sentence tells; one in F32 or BF16 does not") {
  const std::uint16_t large = 0x4b18;  // 1e7
  const Broken broken("model.layers.0.self_attn.v_proj.weight", large, 1);
  for (const CacheFormat cache : {CacheFormat::f16, CacheFormat::f32, CacheFormat::bf16}) {
    SessionOptions options = endless();
    options.cache = cache;
    Session session(*broken.model, options);
    session.append(prompt_of(10));
    if (cache == CacheFormat::f16) {
      check_error(Status::corrupt_file, {"position 10", "65504", "F16 cache"}, [&] { session.step(); });
    } else {
      CHECK(session.step({.max_new_tokens = 3}).new_tokens == 3);
    }
  }
}

TEST_CASE("in a batch they are the member's failure, and the others go on") {
  // a NaN in the embedding of one token, which only one of the prompts has
  MemoryCheckpoint checkpoint("llama3");
  auto& table = checkpoint.tensor("model.embed_tokens.weight");
  const std::size_t row = table.bytes.size() / 384;
  std::memcpy(table.bytes.data() + 7 * row, &kNanBf16, 2);
  MemoryFileSystem files = checkpoint.files();
  RuntimeOptions options;
  options.threads = 2;
  options.invariant = true;
  options.host.files = &files;
  const Model model = Model::open(Runtime(options), "m");
  Session good(model, endless()), bad(model, endless());
  good.append(std::vector<TokenId>{1, 2, 3});
  bad.append(std::vector<TokenId>{1, 7, 3});
  Batch batch(model, {.rows = 16, .sessions = 2});
  batch.add(good);
  batch.add(bad);
  for (int i = 1; i <= 3; ++i) {
    const BatchResult result = batch.step();
    CHECK(result.failed == 1);
    CHECK(result.new_tokens == 1);
    REQUIRE(batch.last_result(bad).error);
    CHECK(batch.last_result(bad).error->status() == Status::corrupt_file);
    CHECK(batch.last_result(bad).error->message().find("position 3") != std::string::npos);
    CHECK(!batch.last_result(good).error);
    CHECK(bad.tokens().size() == 3);
  }
  bad.rewind(1);
  bad.append(std::vector<TokenId>{2, 3});
  batch.step({.max_new_tokens = 3});
  CHECK(!batch.last_result(bad).error);
  bad.step({.max_new_tokens = 3 + 3 - std::int64_t(bad.tokens().size())});
  good.step({.max_new_tokens = 3 + 3 - std::min<std::int64_t>(6, std::int64_t(good.tokens().size()))});
  std::vector<TokenId> said = good.take_tokens();
  said.resize(3);
  CHECK(bad.take_tokens() == said);
}

TEST_CASE("a hook that leaves no number, or no token, fails the step and is called again") {
  const Model model = open_fixture("llama3");
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  Session session(model, endless());
  session.append(prompt_of(10));
  session.set_logits_hook([](std::int64_t, std::span<float> logits) { logits[5] = logits[9] = kNan; });
  check_error(Status::callback_failed, {"hook", "2 of 384", "position 10"}, [&] { session.step(); });
  session.set_logits_hook([](std::int64_t, std::span<float> logits) { std::ranges::fill(logits, -INFINITY); });
  check_error(Status::callback_failed, {"hook", "every token", "position 10"}, [&] { session.step(); });
  // what it forbids may be infinite, and one token is enough
  session.set_logits_hook([](std::int64_t, std::span<float> logits) {
    std::ranges::fill(logits, -INFINITY);
    logits[33] = 0.0f;
  });
  CHECK(session.step({.max_new_tokens = 2}).new_tokens == 2);
  CHECK(session.take_tokens() == std::vector<TokenId>{33, 33});
}

TEST_CASE("whatever a hook throws in a batch is the member's failure") {
  const Model model = open_fixture("llama3");
  Session runtime_error(model, endless()), number(model, endless()), good(model, endless());
  Batch batch(model, {.rows = 16, .sessions = 3});
  for (Session* each : {&runtime_error, &number, &good}) {
    each->append(prompt_of(4));
    batch.add(*each);
  }
  runtime_error.set_logits_hook([](std::int64_t, std::span<float>) { throw std::runtime_error("the host's own"); });
  number.set_logits_hook([](std::int64_t, std::span<float>) { throw 7; });
  CHECK(batch.step().failed == 2);
  REQUIRE(batch.last_result(runtime_error).error);
  CHECK(batch.last_result(runtime_error).error->status() == Status::callback_failed);
  CHECK(batch.last_result(runtime_error).error->message() == "the host's own");
  REQUIRE(batch.last_result(number).error);
  CHECK(batch.last_result(number).error->status() == Status::callback_failed);
  CHECK(batch.last_result(good).step.new_tokens == 1);
  for (Session* each : {&runtime_error, &number}) each->set_logits_hook({});
  for (int i = 0; i < 3; ++i) CHECK(batch.step().failed == 0);
  CHECK(number.tokens()[4] == good.tokens()[4]);
}
