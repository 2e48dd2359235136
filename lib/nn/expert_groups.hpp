// Tokens grouped by expert: each expert's weights are read once for all rows that chose it.
#pragma once

#include <cstdint>
#include <span>

namespace fathom::nn {

// `rows * k` slots, sorted by expert, then by row. Arrays are the caller's; see expert_group_ints.
struct ExpertGroups {
  std::int32_t* active = nullptr;  // [<= experts] ids of experts with at least one slot, ascending
  std::int32_t* first = nullptr;   // [<= experts + 1] slots of active[i] are [first[i], first[i + 1])
  std::int32_t* row = nullptr;     // [rows * k] the row of each slot
  float* weight = nullptr;         // [rows * k] the factor of each slot's output
  std::int32_t count = 0;          // how many experts are active
  std::int32_t most = 0;           // slots of the one that has most
};

// ids and weights [rows, k], ids of a row distinct. `cursor` is scratch of experts + 1 ints.
void group_by_expert(std::span<const std::int32_t> ids, std::span<const float> weights, std::int64_t rows, std::int64_t k,
                     std::int64_t experts, std::span<std::int32_t> cursor, ExpertGroups& groups) noexcept;

struct SlotRange {
  std::int64_t first = 0, last = 0;  // [first, last)
};

// All slots in ascending rounds of at most `capacity` (>= 1), in whole experts where one fits into a round: the range of round
// `index`, empty behind the last.
SlotRange find_slot_round(const ExpertGroups& groups, std::int64_t capacity, std::int64_t index) noexcept;

}  // namespace fathom::nn
