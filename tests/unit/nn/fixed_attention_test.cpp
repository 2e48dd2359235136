#include "nn/fixed_attention.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "nn/kv_cache.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

using namespace fathom;
using nn::KvCache;

namespace {

constexpr std::int64_t kRank = 48, kRope = 16, kWidth = kRank + kRope, kPositions = 300;

// Latents of a sequence in a cache, and as the cache has them.
class Timeline {
 public:
  Timeline(const kernels::KernelTable& table, StorageFormat format, std::uint64_t seed)
      : table_(table),
        cache_(nn::KvCacheShape::uniform(format, {kWidth}, 1), kPositions, heap_allocator()),
        stored_(kPositions * kWidth) {
    Rng rng(seed);
    for (std::int64_t p = 0; p < kPositions; ++p) {
      float* row = stored_.data() + p * kWidth;
      for (std::int64_t k = 0; k < kWidth; ++k) row[k] = test::uniform(rng, -1.0f, 1.0f);
      cache_.store(table, 0, p, row);
      table.decode_row[int(format)](cache_.page(0, p / KvCache::kPageRows, 0), p % KvCache::kPageRows, 0, kWidth, row);
    }
  }

  test::Exact<float> attend(const nn::QueryRows& queries) const {
    const std::size_t rows = std::size_t(queries.rows);
    test::Exact<float> out(rows * kRank), maximum(rows), sum(rows),
        scores(std::size_t(nn::OnlineSoftmax::floats(queries.rows)));
    test::Exact<float> scratch(std::size_t(nn::FixedAttention::floats(queries.rows, kWidth)));
    const nn::SoftmaxState state{out.get(), kRank, maximum.get(), sum.get()};
    nn::OnlineSoftmax softmax(table_, queries, kRank, state, scores.get());
    softmax.begin();
    nn::FixedAttention attention(table_, queries, kRank, kWidth, state, softmax, scratch.get());
    const std::int64_t end = *std::max_element(queries.positions, queries.positions + queries.rows) + 1;
    for (std::int64_t first = 0; first < end; first += KvCache::kPageRows) {
      const std::int64_t page = first / KvCache::kPageRows, behind = first + KvCache::kPageRows;
      attention.add({cache_.page(0, page, 0), cache_.format(), first, std::min(KvCache::kPageRows, end - first)},
                    behind < end ? cache_.page(0, page + 1, 0).data : nullptr);
    }
    softmax.finish(nullptr);
    return out;
  }

  // Softmax over all visible latents at once, in double.
  std::vector<double> naive(const float* query, std::int64_t position) const {
    std::vector<double> weights, out(std::size_t(kRank), 0.0);
    for (std::int64_t p = 0; p <= position; ++p) {
      double dot = 0.0;
      for (std::int64_t k = 0; k < kWidth; ++k) dot += double(query[k]) * double(stored_[std::size_t(p * kWidth + k)]);
      weights.push_back(std::exp(dot));
    }
    double sum = 0.0;
    for (const double w : weights) sum += w;
    for (std::int64_t p = 0; p <= position; ++p) {
      for (std::int64_t k = 0; k < kRank; ++k) {
        out[std::size_t(k)] += weights[std::size_t(p)] / sum * double(stored_[std::size_t(p * kWidth + k)]);
      }
    }
    return out;
  }

 private:
  const kernels::KernelTable& table_;
  KvCache cache_;
  std::vector<float> stored_;
};

struct Queries {
  Queries(std::int64_t rows, Rng& rng) : data(std::size_t(rows * kWidth)) {
    for (std::size_t i = 0; i < data.size; ++i) data[i] = test::uniform(rng, -1.0f, 1.0f);
    for (std::int64_t i = 0; i < rows; ++i) positions.push_back(std::int64_t(rng.next() % std::uint64_t(kPositions)));
  }
  nn::QueryRows rows(std::int64_t first, std::int64_t count) const {
    return {data.get() + first * kWidth, kWidth, count, positions.data() + first, 0};
  }

  test::Exact<float> data;
  std::vector<std::int64_t> positions;
};

// Calls check(table, format) for all that there is.
template <typename Check>
void with_tables(Check&& check) {
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : {StorageFormat::f16, StorageFormat::q8_0}) {
      if (!nn::attends_in_fixed_point(*table, format, kRank, kRope)) continue;
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      check(*table, format);
    }
  }
}

}  // namespace

TEST_CASE("fixed point is for F16, Q8_0 and widths in sixteens") {
  const kernels::KernelTable& table = *kernels::scalar_table();
  CHECK(nn::attends_in_fixed_point(table, StorageFormat::f16, 512, 64));
  CHECK(nn::attends_in_fixed_point(table, StorageFormat::q8_0, 512, 64));
  CHECK(nn::attends_in_fixed_point(table, StorageFormat::f16, 512, 0));
  CHECK_FALSE(nn::attends_in_fixed_point(table, StorageFormat::f32, 512, 64));
  CHECK_FALSE(nn::attends_in_fixed_point(table, StorageFormat::bf16, 512, 64));
  CHECK_FALSE(nn::attends_in_fixed_point(table, StorageFormat::f16, 528, 64));
  CHECK_FALSE(nn::attends_in_fixed_point(table, StorageFormat::f16, 512, 40));
}

// All numbers are at most 1. Each of a score's products is off by half a step of either factor, 1 / 2047; weights then by twice
// the score's error, relatively. Rounding values and weights adds half a step of 2047 and 64 half steps of 16383 for each page.
TEST_CASE("attention in fixed point is softmax over all visible latents") {
  constexpr double kScore = kWidth * 1.001 / 2047.0;
  constexpr double kTolerance = 2.0 * kScore + 0.5 / 2047.0 + 32.0 / 16383.0;
  with_tables([&](const kernels::KernelTable& table, StorageFormat format) {
    const Timeline timeline(table, format, 31);
    Rng rng(32);
    for (const std::int64_t rows : {1, 2, 7, 16, 33}) {
      const Queries queries(rows, rng);
      const test::Exact<float> out = timeline.attend(queries.rows(0, rows));
      double worst = 0.0, squares = 0.0;
      for (std::int64_t i = 0; i < rows; ++i) {
        const std::vector<double> expected = timeline.naive(queries.data.get() + i * kWidth, queries.positions[std::size_t(i)]);
        for (std::int64_t k = 0; k < kRank; ++k) {
          const double off = std::fabs(double(out[std::size_t(i * kRank + k)]) - expected[std::size_t(k)]);
          worst = off <= worst ? worst : off;  // a NaN stays
          squares += off * off;
        }
      }
      CAPTURE(rows);
      CHECK(worst <= kTolerance);
      // Errors of many roundings rarely point the same way.
      CHECK(std::sqrt(squares / double(rows * kRank)) <= kTolerance / 16);
    }
  });
}

TEST_CASE("a row's bits in fixed point do not depend on the rows it shares a call with") {
  with_tables([&](const kernels::KernelTable& table, StorageFormat format) {
    const Timeline timeline(table, format, 33);
    Rng rng(34);
    for (std::int64_t rows = 1; rows <= 37; rows += 3) {
      const Queries queries(rows, rng);
      const test::Exact<float> together = timeline.attend(queries.rows(0, rows));
      for (std::int64_t i = 0; i < rows; ++i) {
        const test::Exact<float> alone = timeline.attend(queries.rows(i, 1));
        CHECK(std::memcmp(alone.get(), together.get() + i * kRank, sizeof(float) * kRank) == 0);
      }
    }
  });
}
