// The second half of the mixture-of-experts layer: each chosen expert's down projection, times its gate, and the shared
// expert's, added to the residual stream. Contributions are added in ascending expert order, so that bits do not depend on the
// mix.
//
// Routed experts go in rounds of two stages: outputs of some experts, an expert's columns a unit, then their sum. The shared
// expert follows.
#include <algorithm>

#include "model/gated_mlp.hpp"
#include "model/stage_support.hpp"

namespace fathom::model::stages {
namespace {

// ---------------------------------------------------------------- routed experts

nn::SlotRange slots_of_round(const Pass& pass, std::int64_t round) {
  return nn::find_slot_round(pass.ws.groups, pass.ws.expert_out.rows, round);
}

// The first group that has slots behind `slot`.
std::int64_t group_at(const nn::ExpertGroups& groups, std::int64_t slot) {
  return std::upper_bound(groups.first + 1, groups.first + groups.count, slot) - (groups.first + 1);
}

EvenTiles down_tiles(const Pass& pass, int layer) {
  const MatrixColumns down = pass.layer(layer).experts.store.down_columns();
  return EvenTiles(down.count, down.bytes_each, pass.worker_count(), tile_limits(pass.ws.groups.most));
}

std::int64_t routed_down_units(const Pass& pass, int layer) {
  const nn::ExpertGroups& groups = pass.ws.groups;
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  if (round.first == round.last) return 0;
  return (group_at(groups, round.last - 1) - group_at(groups, round.first) + 1) * down_tiles(pass, layer).count;
}

// A tile's columns of one expert's outputs, for its slots of the round.
void run_routed_down(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::ExpertGroups& groups = pass.ws.groups;
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  const EvenTiles tiles = down_tiles(pass, layer);
  const std::int64_t active = group_at(groups, round.first) + unit / tiles.count;
  const nn::Linear& down = pass.layer(layer).experts.store.expert(groups.active[active]).down;
  const ColumnTile tile = tiles.at(unit % tiles.count);
  const Activations hidden = pass.ws.slot_rounded.rows(pass.ws.slot_gate);
  const std::int64_t end = std::min<std::int64_t>(round.last, groups.first[active + 1]);
  for (std::int64_t first = std::max<std::int64_t>(round.first, groups.first[active]); first < end; first += kExpertPanel) {
    const std::int64_t count = std::min(kExpertPanel, end - first);
    const Matrix<float> outputs = pass.ws.expert_out.slice(first - round.first, count);
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

std::int64_t add_experts_units(const Pass& pass, int) {
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  if (round.first == round.last) return 0;
  const std::int64_t columns = add_columns(round);
  return (pass.config().hidden_size + columns - 1) / columns;
}

void run_add_experts(Pass& pass, int, std::int64_t unit, Worker&) {
  const nn::ExpertGroups& groups = pass.ws.groups;
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  const std::int64_t columns = add_columns(round), first_col = unit * columns;
  const std::int64_t cols = std::min(columns, pass.config().hidden_size - first_col);
  for (std::int64_t slot = round.first; slot < round.last; ++slot) {
    const float* out = pass.ws.expert_out.row(slot - round.first) + first_col;
    pass.kernels.axpy(groups.weight[slot], out, pass.ws.x.row(groups.row[slot]) + first_col, cols);
  }
}

bool another_round(const Pass& pass) {
  const nn::SlotRange next = slots_of_round(pass, pass.round + 1);
  return next.first < next.last;
}

// ---------------------------------------------------------------- the shared expert

std::int64_t shared_down_units(const Pass& pass, int layer) {
  const GatedMlp& shared = pass.layer(layer).experts.shared;
  return shared ? count_down_units(pass, shared) : 0;
}

void run_shared_down(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  run_down_unit(pass, pass.layer(layer).experts.shared, unit, worker);
}

}  // namespace

constexpr StageKind routed_down{"routed_down", Part::experts, routed_down_units, run_routed_down};
constexpr StageKind add_experts{"add_experts", Part::experts, add_experts_units, run_add_experts, another_round, 2};
constexpr StageKind shared_down{"shared_down", Part::experts, shared_down_units, run_shared_down};

}  // namespace fathom::model::stages
