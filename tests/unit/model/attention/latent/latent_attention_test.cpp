// The two ways to attend to latents, over contexts with several blocks and segments.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include "model/attention/latent/latent.hpp"
#include "platform/thread_pool.hpp"
#include "support/operator_new.hpp"
#include "unit/model/run_network.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

std::int64_t& partial_slots_of(model::Pass& pass) { return pass.scratch<model::LatentScratch>({}).partial_slots; }

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float worst = a.size() == b.size() ? 0.0f : INFINITY;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) worst = std::max(worst, std::fabs(a[i] - b[i]));
  return worst;
}

Deadline passed_deadline() {
  const Deadline deadline = Deadline::after_us(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return deadline;
}

constexpr const char* kModels[] = {"deepseek-v2-lite", "deepseek-v3"};

void take_in(model::Pass& pass, nn::KvCache& cache, std::span<const std::int32_t> ids, std::int64_t first, std::int64_t count,
             Drive& drive) {
  const model::RowSpan span{&cache, first, 0, count};
  pass.begin({&span, 1}, ids.subspan(std::size_t(first), std::size_t(count)));
  drive.finish(pass);
}

// The cache behind the first `count` of `ids`, taken in by chunks of 64, with room for all.
nn::KvCache fill_cache(const model::Network& network, std::span<const std::int32_t> ids, std::int64_t count, Drive& drive) {
  model::Pass pass(network, 64, 1, drive.workers, heap_allocator());
  nn::KvCache cache = make_cache(network, std::int64_t(ids.size()));
  for (std::int64_t first = 0; first < count; first += 64) {
    take_in(pass, cache, ids, first, std::min<std::int64_t>(64, count - first), drive);
  }
  return cache;
}

// Logits of the last `rows` of `ids`, taken in together; `cache` has all that is before them. 0 slots: as many as there are.
std::vector<float> last_rows(const model::Network& network, const nn::KvCache& cache, std::span<const std::int32_t> ids,
                             std::int64_t rows, Drive& drive, std::int64_t partial_slots = 0) {
  model::Pass pass(network, rows, 1, drive.workers, heap_allocator());
  if (partial_slots > 0) partial_slots_of(pass) = partial_slots;
  const std::int64_t before = std::int64_t(ids.size()) - rows;
  nn::KvCache own = cache.fork(before);
  take_in(pass, own, ids, before, rows, drive);
  return all_logits(pass, drive);
}
std::vector<float> last_rows(const model::Network& network, std::span<const std::int32_t> ids, std::int64_t rows,
                             Drive& drive) {
  return last_rows(network, fill_cache(network, ids, std::int64_t(ids.size()) - rows, drive), ids, rows, drive);
}

// Advances that run one unit each, for `rows` rows of a prompt behind `before` others, with few slots for partial results.
std::int64_t count_units(const model::Network& network, std::span<const std::int32_t> ids, std::int64_t before,
                         std::int64_t rows) {
  ShuffledTasks tasks(1);
  Drive plainly{&tasks}, pausing{&tasks, 1, passed_deadline()};
  nn::KvCache cache = fill_cache(network, ids, before, plainly);
  model::Pass pass(network, rows, 1, 1, heap_allocator());
  partial_slots_of(pass) = 80;
  take_in(pass, cache, ids, before, rows, pausing);
  return pausing.advances;
}

}  // namespace

// Sums run in another order: single precision over some hundred terms leaves a few 1e-6 of the values' size.
TEST_CASE("expanding keys and values gives what attending to the latents gives") {
  for (const char* name : kModels) {
    for (const std::int64_t rows : {192, 193, 256, 300}) {
      for (const std::int64_t before : {0, 100, 128, 200}) {
        CAPTURE(std::string(name));
        CAPTURE(rows);
        CAPTURE(before);
        const auto ids = random_prompt(*open_fixture(name, false), before + rows, std::uint64_t(rows + before));
        ShuffledTasks tasks(1);
        Drive drive{&tasks};
        const std::vector<float> expanded = last_rows(*open_fixture(name, false), ids, rows, drive);
        const std::vector<float> absorbed = last_rows(*open_fixture(name, true), ids, rows, drive);
        CHECK(largest_difference(expanded, absorbed) < 2e-4f);
      }
    }
  }
}

TEST_CASE("rounds over segments have the same bits with any number of workers, and when they pause after every unit") {
  const auto network = open_fixture("deepseek-v3", false);
  const auto ids = random_prompt(*network, 500);
  ShuffledTasks serial(1);
  Drive plainly{&serial};
  const std::vector<float> expected = last_rows(*network, ids, 300, plainly);
  const auto pool = make_thread_pool(3);
  Drive pooled{pool.get(), 3};
  CHECK(same_bits(last_rows(*network, ids, 300, pooled), expected));
  ShuffledTasks shuffled(2);
  Drive pausing{&shuffled, 2, passed_deadline()};
  CHECK(same_bits(last_rows(*network, ids, 300, pausing), expected));
}

// Work that grows with the context must come as units that do not: here at most 32 queries and 256 positions each.
TEST_CASE("attention to latents pauses within the context, whatever the number of rows") {
  constexpr std::int64_t kBlocks = 5, kBefore = kBlocks * 256;
  for (const bool invariant : {false, true}) {
    const auto network = open_fixture("deepseek-v3", invariant);
    const std::int64_t layers = network->config.num_hidden_layers, heads = network->config.attention.heads;
    const auto ids = random_prompt(*network, kBefore + 300);
    for (const std::int64_t rows : {1, 8, 31, 33, 64, 191, 300}) {
      if (rows == 300 && !invariant) continue;  // expanded
      CAPTURE(invariant);
      CAPTURE(rows);
      const std::int64_t more = count_units(*network, ids, kBefore, rows) - count_units(*network, ids, 0, rows);
      // A short context is cut more finely, for two units a worker; and the experts' units depend on what was read.
      CHECK(more >= layers * (kBlocks * ((rows * heads + 31) / 32) - 2) - 8);
    }
  }
}

TEST_CASE("a row's bits do not depend on the rows it shares a pass with, or on the slots there are for partial results") {
  for (const char* name : kModels) {
    const auto network = open_fixture(name, true);
    for (const std::int64_t length : {40, 256, 257, 1100}) {
      CAPTURE(std::string(name));
      CAPTURE(length);
      const auto ids = random_prompt(*network, length + 191, std::uint64_t(length));
      ShuffledTasks tasks(1), eight(8);
      Drive drive{&tasks}, spread{&eight, 8};
      const nn::KvCache cache = fill_cache(*network, ids, length + 191, drive);
      const std::vector<float> many = last_rows(*network, cache, ids, 191, drive);
      const std::int64_t vocab = network->config.vocab_size;
      for (const std::int64_t rows : {1, 2, 33, 100}) {
        CAPTURE(rows);
        const std::vector<float> tail(many.end() - rows * vocab, many.end());
        CHECK(same_bits(last_rows(*network, cache, ids, rows, spread), tail));
        for (const std::int64_t slots : {0, 2, 17}) {
          CAPTURE(slots);
          CHECK(same_bits(last_rows(*network, cache, ids, rows, drive, slots), tail));
        }
      }
    }
  }
}

// Each of them as it is alone, where bits do not depend on the number of rows: absorbed rows on both sides of an expanded span,
// single rows among longer spans, short contexts beside long ones. Nearly every advance is one unit, so every round is left and
// taken up again.
TEST_CASE("sequences that share rounds have the bits they have alone, wherever a pass pauses") {
  struct Part {
    std::int64_t before, rows;
  };
  constexpr Part kParts[] = {{900, 1}, {10, 1}, {300, 40}, {700, 200}, {0, 9}, {1500, 3}, {256, 1}, {511, 1}, {0, 1}};
  for (const bool invariant : {false, true}) {
    CAPTURE(invariant);
    const auto network = open_fixture("deepseek-v3", invariant);
    ShuffledTasks tasks(2);
    Drive drive{&tasks, 2}, pausing{&tasks, 2, passed_deadline()};
    std::vector<float> expected;
    std::vector<nn::KvCache> caches;
    std::vector<std::int32_t> ids;
    std::vector<model::RowSpan> spans;
    model::Pass pass(*network, 512, 1, 2, heap_allocator());
    for (const Part& part : kParts) {
      const auto all = random_prompt(*network, part.before + part.rows, std::uint64_t(part.before + 7));
      const std::vector<float> alone = last_rows(*network, all, part.rows, drive);
      expected.insert(expected.end(), alone.begin(), alone.end());
      caches.push_back(fill_cache(*network, all, part.before, drive));
      spans.push_back({nullptr, part.before, std::int64_t(ids.size()), part.rows});
      ids.insert(ids.end(), all.begin() + part.before, all.end());
    }
    for (std::size_t i = 0; i < spans.size(); ++i) spans[i].cache = &caches[i];
    if (!invariant) {  // products of many rows may then be another back end's, with other bits: as they are together without a
                       // pause
      pass.begin(spans, ids);
      drive.finish(pass);
      const std::vector<float> together = all_logits(pass, drive);
      std::int64_t far = 0;
      for (std::size_t i = 0; i < together.size(); ++i)
        far += !(std::abs(together[i] - expected[i]) <= 1e-3f * (1.0f + std::abs(expected[i])));
      CHECK(together.size() == expected.size());
      CHECK(far == 0);
      expected = together;
    }
    for (const std::int64_t slots : {partial_slots_of(pass), std::int64_t{64}, std::int64_t{19}}) {
      CAPTURE(slots);
      partial_slots_of(pass) = slots;
      pass.begin(spans, ids);
      pausing.finish(pass);
      CHECK(same_bits(all_logits(pass, drive), expected));
    }
  }
}

TEST_CASE("rounds of absorbed attention do not allocate") {
  const auto network = open_fixture("deepseek-v3", true);
  const auto ids = random_prompt(*network, 700);
  model::Pass pass(*network, 700, 1, 2, heap_allocator());
  partial_slots_of(pass) = 64;
  nn::KvCache cache = make_cache(*network, 700);
  const auto pool = make_thread_pool(2);
  Drive drive{pool.get(), 2};
  const std::int64_t before = allocation_count();
  take_in(pass, cache, ids, 0, 700, drive);
  CHECK(allocation_count() == before);
}
