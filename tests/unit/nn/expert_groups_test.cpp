#include "nn/expert_groups.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/rng.hpp"

using namespace fathom;

namespace {

struct Groups {
  Groups(const std::vector<std::int32_t>& ids, std::int64_t k, std::int64_t experts)
      : weights(ids.size()),
        active(std::size_t(experts)),
        first(std::size_t(experts) + 1),
        row(ids.size()),
        weight(ids.size()) {
    for (std::size_t s = 0; s < ids.size(); ++s) weights[s] = 0.5f + float(s);
    std::vector<std::int32_t> cursor(std::size_t(experts) + 1, 99);
    found = {active.data(), first.data(), row.data(), weight.data(), 0};
    nn::group_by_expert(ids, weights, std::int64_t(ids.size()) / k, k, experts, cursor, found);
  }

  std::vector<float> weights;
  std::vector<std::int32_t> active, first, row;
  std::vector<float> weight;
  nn::ExpertGroups found;
};

// Every expert in ascending order with the rows that chose it, in row order, each with its own weight.
void check_groups(const std::vector<std::int32_t>& ids, std::int64_t k, std::int64_t experts) {
  const Groups groups(ids, k, experts);
  std::int32_t active = 0, slot = 0;
  for (std::int32_t e = 0; e < experts; ++e) {
    if (std::count(ids.begin(), ids.end(), e) == 0) continue;
    REQUIRE(active < groups.found.count);
    CHECK(groups.active[std::size_t(active)] == e);
    CHECK(groups.first[std::size_t(active)] == slot);
    for (std::size_t s = 0; s < ids.size(); ++s) {
      if (ids[s] != e) continue;
      CHECK(groups.row[std::size_t(slot)] == std::int32_t(std::int64_t(s) / k));
      CHECK(groups.weight[std::size_t(slot)] == groups.weights[s]);
      ++slot;
    }
    ++active;
    CHECK(groups.first[std::size_t(active)] == slot);
  }
  CHECK(groups.found.count == active);
  CHECK(slot == std::int32_t(ids.size()));
}

}  // namespace

TEST_CASE("one row's experts are groups of one") { check_groups({1, 3, 6}, 3, 8); }
TEST_CASE("an expert that every row chose is one group of all rows") { check_groups({0, 0, 0, 0, 0}, 1, 1); }
TEST_CASE("the first and the last expert are found, those between that nobody chose are not") {
  check_groups({0, 9, 0, 9}, 2, 10);
}

TEST_CASE("random choices of many rows end up with their expert, in row order") {
  Rng rng(2);
  for (const std::int64_t rows : {1, 2, 31, 64, 129}) {
    constexpr std::int64_t kExperts = 16, kPerRow = 3;
    std::vector<std::int32_t> ids;
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<std::int32_t> all(kExperts);
      std::iota(all.begin(), all.end(), 0);
      for (std::size_t i = 0; i < kPerRow; ++i) std::swap(all[i], all[i + rng.next() % (all.size() - i)]);
      std::sort(all.begin(), all.begin() + kPerRow);
      ids.insert(ids.end(), all.begin(), all.begin() + kPerRow);
    }
    check_groups(ids, kPerRow, kExperts);
  }
}
