#include "nn/expert_groups.hpp"

#include <algorithm>

namespace fathom::nn {

void group_by_expert(std::span<const std::int32_t> ids, std::span<const float> weights, std::int64_t rows, std::int64_t k,
                     std::int64_t experts, std::span<std::int32_t> cursor, ExpertGroups& groups) noexcept {
  // A counting sort: how many slots, where each expert's begin, then every slot to its place in row order.
  std::fill_n(cursor.begin(), experts + 1, 0);
  const std::int64_t slots = rows * k;
  for (std::int64_t s = 0; s < slots; ++s) ++cursor[std::size_t(ids[std::size_t(s)])];
  std::int32_t next = 0;
  groups.count = groups.most = 0;
  for (std::int32_t e = 0; e < std::int32_t(experts); ++e) {
    const std::int32_t n = cursor[std::size_t(e)];
    cursor[std::size_t(e)] = next;
    if (n == 0) continue;
    groups.active[groups.count] = e;
    groups.first[groups.count] = next;
    ++groups.count;
    groups.most = std::max(groups.most, n);
    next += n;
  }
  groups.first[groups.count] = next;
  for (std::int64_t s = 0; s < slots; ++s) {
    const std::int32_t place = cursor[std::size_t(ids[std::size_t(s)])]++;
    groups.row[place] = std::int32_t(s / k);
    groups.weight[place] = weights[std::size_t(s)];
  }
}

SlotRange find_slot_round(const ExpertGroups& groups, std::int64_t capacity, std::int64_t index) noexcept {
  const std::int64_t slots = groups.first[groups.count];
  SlotRange range;
  std::int32_t group = 0;  // the first that may end behind range.first
  for (; index >= 0 && range.last < slots; --index) {
    range.first = range.last;
    for (; group < groups.count && groups.first[group + 1] <= range.first + capacity; ++group)
      range.last = groups.first[group + 1];
    if (range.last == range.first) range.last = range.first + capacity;  // a part of one expert
  }
  return index < 0 ? range : SlotRange{slots, slots};
}

}  // namespace fathom::nn
