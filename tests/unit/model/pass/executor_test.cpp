#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include "platform/thread_pool.hpp"
#include "support/operator_new.hpp"
#include "unit/model/run_network.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

// One of each kind: grouped-query with and without windows, sinks, biases; latent; dense and mixture layers; FP8 and MXFP4.
constexpr const char* kModels[] = {"llama3",           "mistral",     "qwen3-moe",      "gpt-oss-mxfp4",
                                   "deepseek-v2-lite", "deepseek-v3", "deepseek-v3-fp8"};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
bool all_finite(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); });
}

Deadline passed_deadline() {
  const Deadline deadline = Deadline::after_us(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return deadline;
}

}  // namespace

TEST_CASE("a pass that pauses after every unit computes the bits of one that never does") {
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const auto network = open_fixture(name, false);
    const std::vector<std::int32_t> ids = random_prompt(*network, 37);
    const std::vector<float> expected = run_plainly(*network, ids);
    CHECK(all_finite(expected));
    ShuffledTasks tasks(3);
    Drive drive{&tasks, 3, passed_deadline()};
    CHECK(same_bits(run_prompt(*network, ids, drive), expected));
    // At least a unit a stage of the body, and two stages of the head for each row.
    CHECK(drive.advances >= std::int64_t(network->body.size()) / 2 + 2 * 37);
  }
}

TEST_CASE("an advance past its deadline runs one unit and no more") {
  const auto network = open_fixture("deepseek-v3", false);
  const std::vector<std::int32_t> ids = random_prompt(*network, 64);
  model::Pass pass(*network, 64, 1, 1, heap_allocator());
  nn::KvCache cache = make_cache(*network);
  const model::RowSpan span{&cache, 0, 0, 64};
  pass.begin({&span, 1}, ids);
  ShuffledTasks tasks(1);
  const CancelFlag never{false};
  const Deadline deadline = passed_deadline();
  // The embedding alone is 64 / kRowsPerUnit units.
  bool embedded = false;
  pass.observer = [&](int layer, Matrix<const float>) { embedded |= layer == -1; };
  for (std::int64_t unit = 0; unit < model::row_units(64); ++unit) {
    CHECK_FALSE(embedded);
    CHECK_FALSE(pass.advance(tasks, deadline, never));
  }
  CHECK(embedded);
}

TEST_CASE("logits do not depend on the number of workers or on the order of their tasks") {
  for (const char* name : kModels) {
    for (const bool invariant : {false, true}) {
      CAPTURE(std::string(name));
      CAPTURE(invariant);
      const auto network = open_fixture(name, invariant);
      const std::vector<std::int32_t> ids = random_prompt(*network, 70);
      const std::vector<float> expected = run_plainly(*network, ids);
      for (const int workers : {2, 3, 8}) {
        CAPTURE(workers);
        ShuffledTasks shuffled(workers, std::uint64_t(workers));
        Drive by_shuffled{&shuffled, workers};
        CHECK(same_bits(run_prompt(*network, ids, by_shuffled), expected));
        const auto pool = make_thread_pool(workers);
        Drive by_pool{pool.get(), workers};
        CHECK(same_bits(run_prompt(*network, ids, by_pool), expected));
      }
    }
  }
}

TEST_CASE("with the invariant option logits do not depend on how a prompt is cut into chunks") {
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const auto network = open_fixture(name, true);
    const std::vector<std::int32_t> ids = random_prompt(*network, 210);  // long enough that latent attention might expand
    const std::vector<float> expected = run_plainly(*network, ids);
    for (const std::int64_t chunk : {1, 16, 63, 64, 65}) {
      CAPTURE(chunk);
      CHECK(same_bits(run_plainly(*network, ids, chunk), expected));
    }
  }
}

TEST_CASE("sequences that share a pass compute the bits they compute alone") {
  struct Part {
    std::int64_t before, rows;  // positions already in the cache, rows of this pass
  };
  constexpr Part kParts[] = {{0, 17}, {33, 1}, {0, 70}, {64, 1}, {5, 3}};
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const auto network = open_fixture(name, true);
    ShuffledTasks tasks(2);
    Drive drive{&tasks, 2};
    model::Pass pass(*network, 128, 1, 2, heap_allocator());

    std::vector<std::vector<float>> alone;
    std::vector<nn::KvCache> caches;
    std::vector<std::int32_t> ids;
    std::vector<model::RowSpan> spans;
    for (const Part& part : kParts) {
      const std::vector<std::int32_t> all =
          random_prompt(*network, part.before + part.rows, std::uint64_t(100 + part.before + part.rows));
      const std::vector<float> logits = run_plainly(*network, all);
      alone.emplace_back(logits.begin() + part.before * network->config.vocab_size, logits.end());
      caches.push_back(make_cache(*network));
      if (part.before > 0) {
        const model::RowSpan span{&caches.back(), 0, 0, part.before};
        pass.begin({&span, 1}, std::span(all).first(std::size_t(part.before)));
        drive.finish(pass);
      }
      spans.push_back({nullptr, part.before, std::int64_t(ids.size()), part.rows});
      ids.insert(ids.end(), all.begin() + part.before, all.end());
    }
    for (std::size_t i = 0; i < spans.size(); ++i) spans[i].cache = &caches[i];
    pass.begin(spans, ids);
    drive.finish(pass);
    const std::vector<float> together = all_logits(pass, drive);
    std::vector<float> expected;
    for (const std::vector<float>& one : alone) expected.insert(expected.end(), one.begin(), one.end());
    CHECK(same_bits(together, expected));
  }
}

TEST_CASE("a cancelled pass pauses within a unit, and goes on as if nothing had been") {
  const auto network = open_fixture("deepseek-v3", false);
  const std::vector<std::int32_t> ids = random_prompt(*network, 40);
  const std::vector<float> expected = run_plainly(*network, ids);
  model::Pass pass(*network, 40, 1, 2, heap_allocator());
  nn::KvCache cache = make_cache(*network);
  const model::RowSpan span{&cache, 0, 0, 40};
  ShuffledTasks tasks(2);
  pass.begin({&span, 1}, ids);
  CancelFlag cancel{true};
  std::int64_t advances = 1;
  while (!pass.advance(tasks, Deadline::never(), cancel)) ++advances;
  CHECK(advances > std::int64_t(network->body.size()) / 2);
  Drive drive{&tasks, 2};
  CHECK(same_bits(all_logits(pass, drive), expected));
}

TEST_CASE("beginning anew drops what was under way") {
  const auto network = open_fixture("llama3", false);
  const std::vector<std::int32_t> ids = random_prompt(*network, 20), other = random_prompt(*network, 30, 9);
  const std::vector<float> expected = run_plainly(*network, ids);
  model::Pass pass(*network, 32, 1, 1, heap_allocator());
  nn::KvCache cache = make_cache(*network);
  ShuffledTasks tasks(1);
  const CancelFlag never{false};
  const model::RowSpan dropped{&cache, 0, 0, 30}, span{&cache, 0, 0, 20};
  pass.begin({&dropped, 1}, other);
  for (int i = 0; i < 9; ++i) CHECK_FALSE(pass.advance(tasks, passed_deadline(), never));
  CHECK(pass.running());
  pass.stop();
  CHECK_FALSE(pass.running());
  pass.begin({&span, 1}, ids);
  Drive drive{&tasks};
  drive.finish(pass);
  CHECK_FALSE(pass.running());
  CHECK(same_bits(all_logits(pass, drive), expected));
}

TEST_CASE("a pass does not allocate while it works") {
  for (const char* name : kModels) {
    CAPTURE(std::string(name));
    const auto network = open_fixture(name, true);
    const std::vector<std::int32_t> ids = random_prompt(*network, 70);
    model::Pass pass(*network, 70, 1, 2, heap_allocator());
    nn::KvCache cache = make_cache(*network);
    const model::RowSpan span{&cache, 0, 0, 70};
    const auto pool = make_thread_pool(2);
    const CancelFlag never{false};
    const std::int64_t before = allocation_count();
    pass.begin({&span, 1}, ids);
    pass.advance(*pool, Deadline::never(), never);
    pass.begin_head(69, 1);
    pass.advance(*pool, Deadline::never(), never);
    CHECK(allocation_count() == before);
  }
}

TEST_CASE("the time account and the longest unit are of this pass") {
  const auto network = open_fixture("deepseek-v3", false);
  const std::vector<std::int32_t> ids = random_prompt(*network, 16);
  model::Pass pass(*network, 16, 1, 1, heap_allocator());
  nn::KvCache cache = make_cache(*network);
  const model::RowSpan span{&cache, 0, 0, 16};
  ShuffledTasks tasks(1);
  Drive drive{&tasks};
  pass.begin({&span, 1}, ids);
  drive.finish(pass);
  all_logits(pass, drive);
  CHECK(pass.take_longest_unit_us() > 0.0);
  CHECK(pass.take_longest_unit_us() == 0.0);
  for (const model::Part part :
       {model::Part::attention, model::Part::router, model::Part::experts, model::Part::mlp, model::Part::head}) {
    CHECK(pass.part_us()[std::size_t(part)] > 0.0);
  }
}

TEST_CASE("traced routes are those of each row, ascending, and add up to the scaling factor") {
  const auto network = open_fixture("deepseek-v3", false);
  const nn::RouterConfig& router = network->config.router;
  const std::vector<std::int32_t> ids = random_prompt(*network, 33);
  model::Pass pass(*network, 40, 1, 1, heap_allocator());
  pass.trace_routes(heap_allocator());
  nn::KvCache cache = make_cache(*network);
  const model::RowSpan span{&cache, 0, 0, 33};
  ShuffledTasks tasks(1);
  Drive drive{&tasks};
  pass.begin({&span, 1}, ids);
  drive.finish(pass);
  CHECK(network->moe_layers() == 2);
  for (std::int64_t layer = 0; layer < network->moe_layers(); ++layer) {
    for (std::int64_t row = 0; row < 33; ++row) {
      const auto experts = pass.traced_ids(layer, row);
      const auto weights = pass.traced_weights(layer, row);
      REQUIRE(std::int64_t(experts.size()) == router.experts_per_token);
      CHECK(std::is_sorted(experts.begin(), experts.end(), std::less_equal<>()));
      CHECK(std::accumulate(weights.begin(), weights.end(), 0.0f) == doctest::Approx(router.scaling));
    }
  }
}
