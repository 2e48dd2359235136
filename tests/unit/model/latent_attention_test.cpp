// The three ways to attend to latents, over contexts with several blocks and segments.
#include "model/latent_attention.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include "platform/thread_pool.hpp"
#include "unit/model/run_network.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float worst = a.size() == b.size() ? 0.0f : INFINITY;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) worst = std::max(worst, std::fabs(a[i] - b[i]));
  return worst;
}

constexpr const char* kModels[] = {"deepseek-v2-lite", "deepseek-v3"};

// Logits of the last `rows` tokens, taken in together after all others in chunks of 64.
std::vector<float> last_rows(const model::Network& network, const std::vector<std::int32_t>& ids, std::int64_t rows, Drive& drive,
                             std::int64_t partial_slots = 0) {
  model::Pass pass(network, 512, 1, drive.workers, heap_allocator());
  if (partial_slots > 0) pass.ws.partial_slots = partial_slots;
  nn::KvCache cache = make_cache(network, std::int64_t(ids.size()));
  const std::int64_t before = std::int64_t(ids.size()) - rows;
  const auto take_in = [&](std::int64_t first, std::int64_t count) {
    const model::RowSpan span{&cache, first, 0, count};
    pass.begin({&span, 1}, std::span(ids).subspan(std::size_t(first), std::size_t(count)));
    drive.finish(pass);
  };
  for (std::int64_t first = 0; first < before; first += 64) take_in(first, std::min<std::int64_t>(64, before - first));
  take_in(before, rows);
  return all_logits(pass, drive);
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
  const Deadline passed = Deadline::after_us(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  Drive pausing{&shuffled, 2, passed};
  CHECK(same_bits(last_rows(*network, ids, 300, pausing), expected));
}

TEST_CASE("a row's bits do not depend on whether blocks of its context are attended to side by side") {
  for (const char* name : kModels) {
    const auto network = open_fixture(name, true);
    for (const std::int64_t length : {40, 255, 256, 257, 512, 700}) {
      CAPTURE(std::string(name));
      CAPTURE(length);
      const auto ids = random_prompt(*network, length + 40, std::uint64_t(length));
      ShuffledTasks tasks(1);
      Drive drive{&tasks};
      const std::vector<float> many = last_rows(*network, ids, 40, drive);  // more rows than kSplitRows
      const std::int64_t vocab = network->config.vocab_size;
      for (const std::int64_t rows : {1, 2, 32}) {
        CAPTURE(rows);
        const std::vector<float> tail(many.end() - rows * vocab, many.end());
        CHECK(same_bits(last_rows(*network, ids, rows, drive), tail));
        CHECK(same_bits(last_rows(*network, ids, rows, drive, rows), tail));  // too few slots: one for each row
        ShuffledTasks eight(8);
        Drive spread{&eight, 8};
        CHECK(same_bits(last_rows(*network, ids, rows, spread), tail));
      }
    }
  }
}
