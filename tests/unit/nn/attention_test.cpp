#include "nn/attention.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.hpp"
#include "nn/bf16_attention.hpp"
#include "nn/kv_cache.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

using namespace fathom;
using nn::KvCache;

namespace {

// Keys and values of one head, in a cache as the engine keeps them (values beside the keys, or as their first columns), and
// what the cache's format made of them in double.
class Timeline {
 public:
  Timeline(const kernels::KernelTable& table, StorageFormat format, std::int64_t positions, std::int64_t key_width,
           std::int64_t value_width, std::uint64_t seed, bool values_in_keys = false)
      : table_(table),
        format_(format),
        positions_(positions),
        key_width_(key_width),
        value_width_(value_width),
        values_at_(values_in_keys ? 0 : key_width),
        row_width_(std::max(key_width, values_at_ + value_width)),
        cache_(
            nn::KvCacheShape::uniform(format, values_in_keys ? std::vector{key_width} : std::vector{key_width, value_width}, 1),
            positions, heap_allocator()) {
    Rng rng(seed);
    std::vector<float> row(static_cast<std::size_t>(row_width_));
    for (std::int64_t p = 0; p < positions; ++p) {
      for (float& v : row) v = test::uniform(rng, -1.0f, 1.0f);
      cache_.store(table, 0, p, row.data());
      float* out = row.data();
      for (int part = 0; part < cache_.parts(0); ++part) {
        const kernels::WeightRows page = cache_.page(0, p / KvCache::kPageRows, part);
        table.decode_row[int(format)](page, p % KvCache::kPageRows, 0, page.cols, std::exchange(out, out + page.cols));
      }
      stored_.insert(stored_.end(), row.begin(), row.end());
    }
  }

  const float* key(std::int64_t position) const { return stored_.data() + position * row_width_; }
  const float* value(std::int64_t position) const { return key(position) + values_at_; }
  std::int64_t positions() const { return positions_; }
  std::int64_t key_width() const { return key_width_; }
  std::int64_t value_width() const { return value_width_; }

  // Attention of some rows in one call, page by page as far as the latest of them sees; everything rounded to BF16 or not.
  test::Exact<float> attend(const nn::QueryRows& queries, const float* sinks, bool in_bf16 = false) const {
    test::Exact<float> out(std::size_t(queries.rows * value_width_));
    test::Exact<float> maximum(std::size_t(queries.rows)), sum(std::size_t(queries.rows));
    test::Exact<float> scores(std::size_t(nn::OnlineSoftmax::floats(queries.rows)));
    const nn::SoftmaxState state{out.get(), value_width_, maximum.get(), sum.get()};
    nn::OnlineSoftmax softmax(table_, queries, value_width_, state, scores.get());
    softmax.begin();
    const Buffer scratch(heap_allocator(), nn::Bf16Attention::scratch_bytes(queries.rows, key_width_, value_width_),
                         MemoryPurpose::scratch);
    std::optional<nn::Bf16Attention> rounded;
    if (in_bf16) rounded.emplace(table_, queries, key_width_, value_width_, state, softmax, scratch.data());
    const std::int64_t end = *std::max_element(queries.positions, queries.positions + queries.rows) + 1;
    for (std::int64_t first = 0; first < end; first += KvCache::kPageRows) {
      const std::int64_t count = std::min(KvCache::kPageRows, end - first), page = first / KvCache::kPageRows;
      if (!nn::sees_page(queries, first, count)) continue;
      nn::KeyValuePage here{cache_.page(0, page, 0), cache_.page(0, page, cache_.parts(0) - 1), format_, first, count};
      here.values.cols = value_width_;
      rounded ? rounded->add(here) : softmax.add(here);
    }
    softmax.finish(sinks);
    return out;
  }

 private:
  const kernels::KernelTable& table_;
  StorageFormat format_;
  std::int64_t positions_, key_width_, value_width_;
  std::int64_t values_at_, row_width_;  // in a row of the cache
  KvCache cache_;
  std::vector<float> stored_;
};

struct Queries {
  Queries(const Timeline& timeline, std::int64_t rows, Rng& rng)
      : width(timeline.key_width()), data(std::size_t(rows * width)) {
    for (std::size_t i = 0; i < data.size; ++i) data[i] = test::uniform(rng, -2.0f, 2.0f);
    for (std::int64_t i = 0; i < rows; ++i) {
      positions.push_back(std::int64_t(rng.next() % std::uint64_t(timeline.positions())));
      sinks.push_back(test::uniform(rng, -3.0f, 6.0f));
    }
  }
  nn::QueryRows all(std::int64_t window) const {
    return {data.get(), width, std::int64_t(positions.size()), positions.data(), window};
  }
  nn::QueryRows one(std::int64_t row, std::int64_t window) const {
    return {data.get() + row * width, width, 1, positions.data() + row, window};
  }

  std::int64_t width;
  test::Exact<float> data;
  std::vector<std::int64_t> positions;
  std::vector<float> sinks;
};

// Softmax over all visible keys at once, in double; of numbers rounded to BF16 or not.
std::vector<double> naive(const Timeline& timeline, const float* query, std::int64_t position, std::int64_t window,
                          const float* sink, bool in_bf16) {
  const auto taken = [&](float value) { return double(in_bf16 ? bf16_to_f32(f32_to_bf16(value)) : value); };
  const std::int64_t oldest = window > 0 ? std::max<std::int64_t>(0, position - window + 1) : 0;
  std::vector<double> logits;
  for (std::int64_t p = oldest; p <= position; ++p) {
    double dot = 0.0;
    for (std::int64_t k = 0; k < timeline.key_width(); ++k) dot += taken(query[k]) * taken(timeline.key(p)[k]);
    logits.push_back(dot);
  }
  double top = *std::max_element(logits.begin(), logits.end());
  if (sink) top = std::max(top, double(*sink));
  double sum = sink ? std::exp(double(*sink) - top) : 0.0;
  for (double& l : logits) sum += l = std::exp(l - top);
  std::vector<double> out(std::size_t(timeline.value_width()), 0.0);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float* value = timeline.value(oldest + std::int64_t(i));
    for (std::size_t v = 0; v < out.size(); ++v) out[v] += logits[i] / sum * taken(value[v]);
  }
  return out;
}

}  // namespace

// A score of K products with |q| <= 2 and |k| <= 1 is off by at most (K + 16) 2^-24 2K; exp and its argument's rounding add a
// few 2^-22; a weight is off relatively by twice that, and values are at most 1. Sums of n terms add n 2^-24.
TEST_CASE("attention page by page is softmax over all visible keys") {
  constexpr std::int64_t kKey = 24, kValue = 17, kPositions = 300;
  constexpr double kTolerance = 2.0 * ((kKey + 16) * 0x1p-24 * 2 * kKey + 8 * 0x1p-22) + kPositions * 0x1p-24;
  constexpr double kWeightRounding = 0x1p-8;  // in BF16, with some to spare
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const auto& [format, values_in_keys] : {std::pair{StorageFormat::f32, false},
                                                 {StorageFormat::f16, false},
                                                 {StorageFormat::bf16, false},
                                                 {StorageFormat::f16, true}}) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      CAPTURE(values_in_keys);
      const Timeline timeline(*table, format, kPositions, kKey, kValue, 3, values_in_keys);
      Rng rng(4);
      for (const std::int64_t rows : {1, 2, 7, 8, 33, 70}) {
        for (const std::int64_t window : {0, 1, 16, 64, 65, 128, 1000}) {
          for (const auto& [sunk, in_bf16] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
            if (in_bf16 && !table->attention_bf16.products) continue;
            const Queries queries(timeline, rows, rng);
            const test::Exact<float> out = timeline.attend(queries.all(window), sunk ? queries.sinks.data() : nullptr, in_bf16);
            double worst = 0.0;
            for (std::int64_t i = 0; i < rows; ++i) {
              const std::vector<double> expected =
                  naive(timeline, queries.data.get() + i * kKey, queries.positions[std::size_t(i)], window,
                        sunk ? &queries.sinks[std::size_t(i)] : nullptr, in_bf16);
              for (std::int64_t v = 0; v < kValue; ++v) {
                const double off = std::fabs(double(out[std::size_t(i * kValue + v)]) - expected[std::size_t(v)]);
                worst = off <= worst ? worst : off;  // a NaN stays
              }
            }
            CAPTURE(rows);
            CAPTURE(window);
            CAPTURE(sunk);
            CAPTURE(in_bf16);
            CHECK(worst <= kTolerance + (in_bf16 ? kWeightRounding : 0));
          }
        }
      }
    }
  }
}

// What batching, chunks of any size and the number of threads rest on.
TEST_CASE("a row's bits do not depend on the rows it shares a call with") {
  constexpr std::int64_t kKey = 40, kValue = 24, kPositions = 200;
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : {StorageFormat::f32, StorageFormat::f16, StorageFormat::bf16}) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      const Timeline timeline(*table, format, kPositions, kKey, kValue, 5);
      Rng rng(6);
      for (std::int64_t rows = 1; rows <= 70; ++rows) {
        for (const bool in_bf16 : {false, true}) {
          if (in_bf16 && !table->attention_bf16.products) continue;
          const std::int64_t window = rows % 3 == 0 ? 20 : 0;
          const Queries queries(timeline, rows, rng);
          const test::Exact<float> together = timeline.attend(queries.all(window), queries.sinks.data(), in_bf16);
          bool same = true;
          for (std::int64_t i = 0; i < rows; ++i) {
            const test::Exact<float> alone = timeline.attend(queries.one(i, window), &queries.sinks[std::size_t(i)], in_bf16);
            same &= std::memcmp(alone.get(), together.get() + i * kValue, sizeof(float) * kValue) == 0;
          }
          CAPTURE(rows);
          CAPTURE(in_bf16);
          CHECK(same);
        }
      }
    }
  }
}

TEST_CASE("scores far apart neither overflow nor lose the largest") {
  const kernels::KernelTable& table = *kernels::scalar_table();
  KvCache cache(nn::KvCacheShape::uniform(StorageFormat::f32, {1, 1}, 1), 130, heap_allocator());
  for (std::int64_t p = 0; p < 130; ++p) {
    // Scores climb from page to page: 0, then 1000, then 2000 at the very end.
    const float row[] = {p == 129 ? 2000.0f : p >= 64 ? 1000.0f : 0.0f, p == 129 ? 7.0f : 1.0f};
    cache.store(table, 0, p, row);
  }
  const float query = 1.0f;
  const std::int64_t position = 129;
  const nn::QueryRows queries{&query, 1, 1, &position, 0};
  float out = 0.0f;
  float maximum = 0.0f, sum = 0.0f;
  std::vector<float> scores(std::size_t(nn::OnlineSoftmax::floats(1)));
  nn::OnlineSoftmax softmax(table, queries, 1, {&out, 1, &maximum, &sum}, scores.data());
  softmax.begin();
  for (std::int64_t page = 0; page < 3; ++page) {
    softmax.add({cache.page(0, page, 0), cache.page(0, page, 1), StorageFormat::f32, page * 64, page == 2 ? 2 : 64});
  }
  SUBCASE("without a sink the largest takes it all") {
    softmax.finish(nullptr);
    CHECK(out == 7.0f);
  }
  SUBCASE("a sink as large as the largest takes half") {
    const float sink = 2000.0f;
    softmax.finish(&sink);
    CHECK(out == 3.5f);
  }
  SUBCASE("a far larger sink takes it all") {
    const float sink = 5000.0f;
    softmax.finish(&sink);
    CHECK(out == 0.0f);
  }
}

TEST_CASE("a page is seen when any row's window reaches into it") {
  const std::int64_t positions[] = {10, 100};
  const auto sees = [&](std::int64_t window, std::int64_t first, std::int64_t count) {
    return nn::sees_page({nullptr, 0, 2, positions, window}, first, count);
  };
  CHECK(sees(0, 0, 64));
  CHECK(sees(0, 64, 64));
  CHECK_FALSE(sees(0, 101, 27));
  CHECK(sees(11, 0, 64));        // row 10 sees 0 .. 10
  CHECK_FALSE(sees(5, 11, 53));  // row 10 ends before, row 100 sees 96 .. 100
  CHECK(sees(5, 64, 33));        // up to and with 96
  CHECK_FALSE(sees(5, 64, 32));
}
