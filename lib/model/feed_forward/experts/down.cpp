// The second half of the mixture-of-experts layer: each chosen expert's down projection, times its gate, and the shared
// expert's, added to the residual stream. Contributions are added in ascending expert order, so that bits do not depend on the
// mix.
//
// Routed experts go in rounds of two stages: outputs of some experts, an expert's columns a unit, then their sum. The shared
// expert follows.
#include <algorithm>

#include "model/feed_forward/experts/experts.hpp"
#include "model/pass/products.hpp"

namespace fathom::model {
namespace {

// ---------------------------------------------------------------- routed experts

nn::SlotRange slots_of_round(const Pass& pass, Place at, std::int64_t round) {
  return nn::find_slot_round(pass.scratch<ExpertScratch>(at).groups, pass.scratch<ExpertScratch>(at).expert_out.rows, round);
}

// The first group that has slots behind `slot`.
std::int64_t group_at(const nn::ExpertGroups& groups, std::int64_t slot) {
  return std::upper_bound(groups.first + 1, groups.first + groups.count, slot) - (groups.first + 1);
}

EvenTiles down_tiles(const Pass& pass, Place at) {
  const MatrixColumns down = pass.weights<ExpertWeights>(at).store.down_columns();
  return EvenTiles(down.count, down.bytes_each, pass.worker_count(), tile_limits(pass.scratch<ExpertScratch>(at).groups.most));
}

std::int64_t routed_down_units(const Pass& pass, Place at) {
  const nn::ExpertGroups& groups = pass.scratch<ExpertScratch>(at).groups;
  const nn::SlotRange round = slots_of_round(pass, at, pass.round);
  if (round.first == round.last) return 0;
  return (group_at(groups, round.last - 1) - group_at(groups, round.first) + 1) * down_tiles(pass, at).count;
}

// A tile's columns of one expert's outputs, for its slots of the round.
void run_routed_down(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const nn::ExpertGroups& groups = pass.scratch<ExpertScratch>(at).groups;
  const nn::SlotRange round = slots_of_round(pass, at, pass.round);
  const EvenTiles tiles = down_tiles(pass, at);
  const std::int64_t active = group_at(groups, round.first) + unit / tiles.count;
  const nn::Linear& down = pass.weights<ExpertWeights>(at).store.expert(groups.active[active]).down;
  const ColumnTile tile = tiles.at(unit % tiles.count);
  const Activations hidden = pass.scratch<ExpertScratch>(at).slot_rounded.rows(pass.scratch<ExpertScratch>(at).slot_gate);
  const std::int64_t end = std::min<std::int64_t>(round.last, groups.first[active + 1]);
  for (std::int64_t first = std::max<std::int64_t>(round.first, groups.first[active]); first < end; first += kExpertPanel) {
    const std::int64_t count = std::min(kExpertPanel, end - first);
    const Matrix<float> outputs = pass.scratch<ExpertScratch>(at).expert_out.slice(first - round.first, count);
    down.multiply(hidden.slice(first, count), outputs, tile.first, tile.last, worker.linear);
  }
}

// A unit is a range of the residual stream's columns, worth so many additions but at least kAddColumns wide.
constexpr std::int64_t kAdditions = 32 << 10;
constexpr std::int64_t kAddColumns = 128;

std::int64_t add_columns(const nn::SlotRange& round) {
  const std::int64_t wanted = kAdditions / (round.last - round.first) / kAddColumns * kAddColumns;
  return std::max(wanted, kAddColumns);
}

std::int64_t add_experts_units(const Pass& pass, Place at) {
  const nn::SlotRange round = slots_of_round(pass, at, pass.round);
  if (round.first == round.last) return 0;
  const std::int64_t columns = add_columns(round);
  return (pass.config().hidden_size + columns - 1) / columns;
}

void run_add_experts(Pass& pass, Place at, std::int64_t unit, Worker&) {
  const nn::ExpertGroups& groups = pass.scratch<ExpertScratch>(at).groups;
  const nn::SlotRange round = slots_of_round(pass, at, pass.round);
  const std::int64_t columns = add_columns(round), first_col = unit * columns;
  const std::int64_t cols = std::min(columns, pass.config().hidden_size - first_col);
  for (std::int64_t slot = round.first; slot < round.last; ++slot) {
    const float* out = pass.scratch<ExpertScratch>(at).expert_out.row(slot - round.first) + first_col;
    pass.merge(at, groups.row[slot], first_col, cols, out, groups.weight[slot]);
  }
}

bool another_round(const Pass& pass, Place at) {
  const nn::SlotRange next = slots_of_round(pass, at, pass.round + 1);
  return next.first < next.last;
}

// ---------------------------------------------------------------- the shared expert

std::int64_t shared_down_units(const Pass& pass, Place at) {
  const GatedMlp& shared = pass.weights<ExpertWeights>(at).shared;
  return shared ? count_down_units(pass, shared) : 0;
}

void run_shared_down(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  run_down_unit(pass, at, pass.weights<ExpertWeights>(at).shared, pass.scratch<ExpertScratch>(at).shared, unit, worker);
}

}  // namespace

constexpr StageKind kRoutedDown{"routed_down", Part::experts, routed_down_units, run_routed_down};
constexpr StageKind kAddExperts{"add_experts", Part::experts, add_experts_units, run_add_experts, nullptr, another_round, 2};
constexpr StageKind kSharedDown{"shared_down", Part::experts, shared_down_units, run_shared_down};

}  // namespace fathom::model
