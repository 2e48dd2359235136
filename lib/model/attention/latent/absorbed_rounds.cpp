#include "model/attention/latent/absorbed_rounds.hpp"

#include <algorithm>

#include "model/attention/latent/latent.hpp"

namespace fathom::model {
namespace {

// Most heads of a unit.
constexpr std::int64_t kUnitHeads = 16;

// A panel's rows may need as many slots for totals, and then a group must find room beside them.
std::int64_t most_panel_rows(const LatentScratch& scratch) {
  return std::max<std::int64_t>(1, std::min(scratch.absorbed.rows, scratch.partial_slots / 2));
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

RowGroups::RowGroups(const Pass& pass, Place at)
    : pass_(&pass), most_rows_(std::min(kGroupRows, most_panel_rows(pass.scratch<LatentScratch>(at)))) {
  skip_others();
}

bool RowGroups::done() const noexcept { return span_ == pass_->spans.size(); }

RowGroup RowGroups::current() const noexcept {
  const RowSpan& span = pass_->spans[span_];
  const std::int64_t rows = std::min(most_rows_, span.rows - row_);
  return {&span, span.first_row + row_, rows, (span.first_position + row_ + rows - 1) / kBlockPositions + 1};
}

void RowGroups::next() noexcept {
  row_ += most_rows_;
  if (row_ < pass_->spans[span_].rows) return;
  row_ = 0;
  ++span_;
  skip_others();
}

void RowGroups::skip_others() noexcept {
  while (!done() && expands(*pass_, pass_->spans[span_])) ++span_;
}

GroupShare AbsorbedRound::Packing::place(const RowGroup& group, std::int64_t wanted) noexcept {
  const std::int64_t begun = window, slot = used, room = (capacity - used) / group.rows, whole = capacity / group.rows;
  if (group.blocks <= room) {
    used += group.blocks * group.rows;
  } else {
    const std::int64_t windows = divide_up(group.blocks - room, whole);
    window += windows;
    used = (group.blocks - room - (windows - 1) * whole) * group.rows;
  }
  if (wanted < begun || wanted > window) return {};
  if (wanted == begun) return {0, std::min(group.blocks, room), slot};
  const std::int64_t first = room + (wanted - begun - 1) * whole;
  return {first, std::min(whole, group.blocks - first), 0};
}

AbsorbedRound::AbsorbedRound(const Pass& pass, Place at) : pass_(&pass), heads_(pass.attention(at).heads), groups_(pass, at) {
  const LatentScratch& scratch = pass.scratch<LatentScratch>(at);
  const std::int64_t most_rows = most_panel_rows(scratch);
  std::int64_t round = pass.round;
  while (!groups_.done()) {
    // the panel that begins here
    first_row = groups_.current().first_row;
    rows = group_count_ = 0;
    std::int64_t slots = 0;
    RowGroups end = groups_;
    for (; !end.done(); end.next(), ++group_count_) {
      const RowGroup group = end.current();
      if (group.first_row != first_row + rows || rows + group.rows > most_rows) break;
      rows += group.rows;
      slots += group.rows * group.blocks;
    }
    keeps_totals = slots > scratch.partial_slots;
    capacity_ = scratch.partial_slots - (keeps_totals ? rows : 0);
    Packing packing{capacity_};
    RowGroups group = groups_;
    for (std::int64_t i = 0; i < group_count_; ++i, group.next()) packing.place(group.current(), 0);
    if (round <= packing.window) {
      window_ = round;
      opens_panel = round == 0;
      closes_panel = round == packing.window;
      closes_pass = closes_panel && end.done();
      return;
    }
    round -= packing.window + 1;
    groups_ = end;
  }
  rows = group_count_ = 0;
}

std::int64_t AbsorbedRound::count_items() const {
  std::int64_t items = 0;
  for_groups([&](const RowGroup&, const GroupShare& share) { items += share.count; });
  return items;
}

// Fewer than a unit may have where there would be less than two units for each worker.
std::int64_t AbsorbedRound::heads_of_unit(const RowGroup& group, std::int64_t items) const {
  const std::int64_t heads = heads_, most = std::min(kUnitHeads, kUnitQueries / group.rows);
  return std::clamp<std::int64_t>(std::min(most, divide_up(heads * items, 2 * pass_->worker_count())), 1, heads);
}

std::int64_t AbsorbedRound::count_units() const {
  const std::int64_t items = count_items();
  std::int64_t units = 0;
  for_groups([&](const RowGroup& group, const GroupShare& share) {
    units += share.count * divide_up(heads_, heads_of_unit(group, items));
  });
  return units;
}

AbsorbedUnit AbsorbedRound::find_unit(std::int64_t unit) const {
  const std::int64_t items = count_items();
  AbsorbedUnit found;
  for_groups([&](const RowGroup& group, const GroupShare& share) {
    const std::int64_t heads = heads_of_unit(group, items), cuts = divide_up(heads_, heads);
    if (unit >= 0 && unit < share.count * cuts) {
      const std::int64_t item = unit / cuts, first_head = unit % cuts * heads;
      found = {group, share.first + item, share.first_slot + item * group.rows, first_head,
               std::min(heads, heads_ - first_head)};
    }
    unit -= share.count * cuts;
  });
  return found;
}

}  // namespace fathom::model
