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
    found = {active.data(), first.data(), row.data(), weight.data(), 0, 99};
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
  std::int32_t active = 0, slot = 0, most = 0;
  for (std::int32_t e = 0; e < experts; ++e) {
    const auto slots = std::int32_t(std::count(ids.begin(), ids.end(), e));
    if (slots == 0) continue;
    most = std::max(most, slots);
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
  CHECK(groups.found.most == most);
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

namespace {

// Rounds follow each other, fill without passing the capacity, and part no expert that fits into one.
void check_rounds(const nn::ExpertGroups& groups, std::int64_t capacity) {
  CAPTURE(capacity);
  const std::int64_t slots = groups.first[groups.count];
  const auto is_border = [&](std::int64_t slot) {
    return std::find(groups.first, groups.first + groups.count + 1, std::int32_t(slot)) != groups.first + groups.count + 1;
  };
  std::int64_t next = 0;
  for (std::int64_t round = 0; next < slots; ++round) {
    const nn::SlotRange range = nn::find_slot_round(groups, capacity, round);
    REQUIRE(range.first == next);
    REQUIRE(range.last > range.first);
    REQUIRE(range.last - range.first <= capacity);
    if (!is_border(range.last)) CHECK(range.last - range.first == capacity);
    if (is_border(range.last) && range.last < slots) {
      const std::int64_t behind = *std::upper_bound(groups.first, groups.first + groups.count, std::int32_t(range.last));
      CHECK(behind - range.first > capacity);
    }
    next = range.last;
  }
  CHECK(next == slots);
  const nn::SlotRange behind = nn::find_slot_round(groups, capacity, slots);
  CHECK(behind.first == behind.last);
}

}  // namespace

TEST_CASE("rounds take whole experts while they fit, and parts of one that does not") {
  Rng rng(5);
  for (const std::int64_t k : {1, 3}) {
    std::vector<std::int32_t> ids;
    for (std::int64_t row = 0; row < 40; ++row) {
      const auto first = std::int32_t(rng.next() % 5);  // some experts have none
      for (std::int32_t i = 0; i < k; ++i) ids.push_back(first * first + 3 * i);
    }
    const Groups groups(ids, k, 32);
    for (const std::int64_t capacity : {1, 2, 7, 8, 13, 39, 40, 119, 120, 1000}) check_rounds(groups.found, capacity);
  }
}
