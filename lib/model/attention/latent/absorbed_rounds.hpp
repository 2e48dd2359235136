// How absorbed attention is cut, so that no unit grows with the context and what lies between units fits the workspace.
//
// Rows of one span form groups that share every reading of a latent; groups that follow each other form panels, whose queries
// are absorbed together. A group and one block of the context are an item. As many items of a panel as there are slots for what
// they come to make a round, and what the rounds of a panel come to is merged into a total for each row and head.
#pragma once

#include <cstdint>

#include "model/pass/pass.hpp"

namespace fathom::model {

// Positions that are attended to together. What several blocks came to is merged in ascending order, whoever computed them: so
// bits do not depend on the cuts.
inline constexpr std::int64_t kBlockPages = 4;
inline constexpr std::int64_t kBlockPositions = kBlockPages * nn::KvCache::kPageRows;
// Most queries (rows x heads) of a unit: reading a latent costs little beside its products with so many, and twice as many were
// no faster.
inline constexpr std::int64_t kUnitQueries = 32;
// Most rows of a group.
inline constexpr std::int64_t kGroupRows = 8;

struct RowGroup {
  const RowSpan* span = nullptr;
  std::int64_t first_row = 0;  // in the pass
  std::int64_t rows = 0;
  std::int64_t blocks = 0;  // of the context, as far as the last row sees
};

// The groups of a pass, in ascending order. Spans that are expanded have none.
class RowGroups {
 public:
  RowGroups(const Pass& pass, Place at);
  bool done() const noexcept;
  RowGroup current() const noexcept;
  void next() noexcept;

 private:
  void skip_others() noexcept;

  const Pass* pass_;
  std::int64_t most_rows_;  // of a group
  std::size_t span_ = 0;
  std::int64_t row_ = 0;  // in the span
};

// The items of a group in a round: blocks [first, first + count) of its context. The partial results of block first + i begin
// at slot first_slot + i * (rows of the group), as [heads, rows of the group] states.
struct GroupShare {
  std::int64_t first = 0, count = 0;
  std::int64_t first_slot = 0;
};

// A group of heads for an item.
struct AbsorbedUnit {
  RowGroup group;
  std::int64_t block = 0;
  std::int64_t slot = 0;
  std::int64_t first_head = 0, heads = 0;
};

// The round that Pass::round names. Reads the pass, keeps nothing; cheap beside a unit.
class AbsorbedRound {
 public:
  AbsorbedRound(const Pass& pass, Place at);

  // Rows of the panel, consecutive in the pass; none when no row of the pass is absorbed.
  std::int64_t first_row = 0, rows = 0;
  bool opens_panel = false, closes_panel = false;  // the panel's first and last round
  bool closes_pass = false;
  // Do rows keep totals between rounds? They lie in the slots [0, rows), laid out as items are: a group's begin at its first
  // row.
  bool keeps_totals = false;

  // body(RowGroup, GroupShare) for each group of the panel, those that have no items in this round as well.
  template <typename Body>
  void for_groups(Body body) const {
    Packing packing{capacity_};
    RowGroups at = groups_;
    for (std::int64_t i = 0; i < group_count_; ++i, at.next()) {
      const RowGroup group = at.current();
      GroupShare share = packing.place(group, window_);
      share.first_slot += keeps_totals ? rows : 0;
      body(group, share);
    }
  }

  std::int64_t count_units() const;
  AbsorbedUnit find_unit(std::int64_t unit) const;

 private:
  // Fills windows of `capacity` slots with items, group after group.
  struct Packing {
    std::int64_t capacity;
    std::int64_t window = 0, used = 0;

    // What of `group` falls into window `wanted`, with slots counted from the window's first.
    GroupShare place(const RowGroup& group, std::int64_t wanted) noexcept;
  };

  std::int64_t count_items() const;
  std::int64_t heads_of_unit(const RowGroup& group, std::int64_t items) const;

  const Pass* pass_;
  std::int64_t heads_;
  RowGroups groups_;  // from the panel's first on
  std::int64_t group_count_ = 0;
  std::int64_t capacity_ = 0, window_ = 0;
};

}  // namespace fathom::model
