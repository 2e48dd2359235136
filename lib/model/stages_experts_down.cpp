// The second half of the mixture-of-experts layer: each chosen expert's down projection, times its gate, and the shared expert's, added to
// the residual stream. Contributions are added in ascending expert order, so that bits do not depend on the mix.
//
// Few rows go through all experts in one stage, whose units are columns of the residual stream: nothing lies in between. With many rows
// such a unit would read all activations for a few columns. They go in rounds of two stages instead: outputs of some experts, an expert's
// columns a unit, then their sum.
#include <algorithm>

#include "model/gated_mlp.hpp"
#include "model/stage_support.hpp"

namespace fathom::model::stages {
namespace {

// y = the tile's columns of one expert's down projection, for `count` slots from `first` on.
void multiply_down(Pass& pass, const nn::Linear& down, std::int64_t first, std::int64_t count, const Matrix<float>& y, const ColumnTile& tile,
                   Worker& worker) {
  const Activations hidden{pass.ws.slot_gate, pass.ws.slot_q8.rows(pass.config().moe_intermediate_size)};
  down.multiply(hidden.slice(first, count), y, tile.first, tile.last, worker.linear);
}

// ---------------------------------------------------------------- many rows

// Up to so many rows only stream the weights.
constexpr std::int64_t kStreamRows = 16;
// The outputs of a round: they are to stay in the caches until they are added.
constexpr std::int64_t kRoundBytes = 2 << 20;
constexpr std::int64_t kLeastRound = 64;

// Slots of a round, in the memory of `up`, which is not needed any more. 0: no rounds.
std::int64_t round_capacity(const Pass& pass) {
  const std::int64_t hidden = pass.config().hidden_size, room = pass.ws.slot_up.rows * pass.ws.slot_up.cols / hidden;
  const std::int64_t capacity = std::min(room, kRoundBytes / std::int64_t(sizeof(float)) / hidden);
  return pass.rows > kStreamRows && capacity >= kLeastRound ? capacity : 0;
}

nn::SlotRange slots_of_round(const Pass& pass, std::int64_t round) {
  const std::int64_t capacity = round_capacity(pass);
  return capacity > 0 ? nn::find_slot_round(pass.ws.groups, capacity, round) : nn::SlotRange{};
}

// The first group that has slots behind `slot`.
std::int64_t group_at(const nn::ExpertGroups& groups, std::int64_t slot) {
  return std::upper_bound(groups.first + 1, groups.first + groups.count, slot) - (groups.first + 1);
}

std::int64_t down_tiles(const Pass& pass, int layer) {
  const nn::Linear* matrix[] = {&pass.layer(layer).experts.store.expert(0).down};
  return count_column_tiles(matrix, pass.worker_count());
}

std::int64_t multiply_experts_down_units(const Pass& pass, int layer) {
  const nn::ExpertGroups& groups = pass.ws.groups;
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  if (round.first == round.last) return 0;
  return (group_at(groups, round.last - 1) - group_at(groups, round.first) + 1) * down_tiles(pass, layer);
}

Matrix<float> round_outputs(const Pass& pass, const nn::SlotRange& round) {
  return {pass.ws.slot_up.data, round.last - round.first, pass.config().hidden_size};
}

void run_multiply_experts_down(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::ExpertGroups& groups = pass.ws.groups;
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  const std::int64_t tiles = down_tiles(pass, layer), active = group_at(groups, round.first) + unit / tiles;
  const nn::Linear& down = pass.layer(layer).experts.store.expert(groups.active[active]).down;
  const nn::Linear* matrix[] = {&down};
  const ColumnTile tile = find_column_tile(matrix, unit % tiles, pass.worker_count());
  const std::int64_t end = std::min<std::int64_t>(round.last, groups.first[active + 1]);
  for (std::int64_t first = std::max<std::int64_t>(round.first, groups.first[active]); first < end; first += kExpertPanel) {
    const std::int64_t count = std::min(kExpertPanel, end - first);
    multiply_down(pass, down, first, count, round_outputs(pass, round).slice(first - round.first, count), tile, worker);
  }
}

// A unit is a range of the residual stream's columns.
constexpr std::int64_t kAddColumns = 128;

std::int64_t add_experts_units(const Pass& pass, int) {
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  return round.first < round.last ? (pass.config().hidden_size + kAddColumns - 1) / kAddColumns : 0;
}

void run_add_experts(Pass& pass, int, std::int64_t unit, Worker&) {
  const nn::ExpertGroups& groups = pass.ws.groups;
  const nn::SlotRange round = slots_of_round(pass, pass.round);
  const Matrix<float> outputs = round_outputs(pass, round);
  const std::int64_t first_col = unit * kAddColumns, cols = std::min(kAddColumns, pass.config().hidden_size - first_col);
  for (std::int64_t slot = round.first; slot < round.last; ++slot) {
    pass.kernels.axpy(groups.weight[slot], outputs.row(slot - round.first) + first_col, pass.ws.x.row(groups.row[slot]) + first_col, cols);
  }
}

bool another_round(const Pass& pass) {
  const nn::SlotRange next = slots_of_round(pass, pass.round + 1);
  return next.first < next.last;
}

// ---------------------------------------------------------------- few rows, and the shared expert

// A unit is a range of the residual stream's columns for a block of its rows: every expert's share of it, so that adding needs no lock and
// keeps its order.
// A column of all experts is much, so that 8-bit products, which like 16 columns as well as 64, go down to 16; in return a block has
// many rows, as each expert meets only some of them.
constexpr TileLimits kDownTile{.least = 16};
constexpr std::int64_t kDownRows = 256;
// Few rows only stream the weights, and 16 columns of an expert (15 KB) are over before a stream is under way.
constexpr TileLimits kStreamTile{.least = 16, .bytes = 2 << 20, .per_worker = 16};

// What this stage multiplies.
struct DownExperts {
  std::int64_t routed;       // active ones
  const nn::Linear* shared;  // or null
};
DownExperts down_experts(const Pass& pass, int layer) {
  const ExpertWeights& experts = pass.layer(layer).experts;
  return {round_capacity(pass) > 0 ? 0 : pass.ws.groups.count, experts.shared ? &experts.shared.down : nullptr};
}

std::int64_t down_tile(const Pass& pass, int layer) {
  const auto [routed, shared] = down_experts(pass, layer);
  const nn::Linear& down = pass.layer(layer).experts.store.expert(0).down;
  const std::int64_t bytes = routed * down.weights().stored.row_bytes + (shared ? shared->weights().stored.row_bytes : 0);
  const TileLimits limits = !down.reads_quantised() ? TileLimits{} : pass.rows <= kStreamRows ? kStreamTile : kDownTile;
  return tile_width(pass.config().hidden_size, bytes, pass.worker_count(), limits);
}

std::int64_t down_blocks(const Pass& pass, int layer) {
  const auto [routed, shared] = down_experts(pass, layer);
  const nn::Linear& down = pass.layer(layer).experts.store.expert(0).down;
  if (down.reads_quantised() && (!shared || shared->reads_quantised())) return count_row_blocks(pass.rows, kDownRows);
  const nn::Linear* matrices[] = {&down, shared};
  return count_row_blocks(pass, std::span(matrices).first(shared ? 2 : 1));
}

std::int64_t experts_down_units(const Pass& pass, int layer) {
  const auto [routed, shared] = down_experts(pass, layer);
  if (routed == 0 && !shared) return 0;
  const std::int64_t tile = down_tile(pass, layer);
  return (pass.config().hidden_size + tile - 1) / tile * down_blocks(pass, layer);
}

void run_experts_down(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const ExpertWeights& experts = pass.layer(layer).experts;
  const Config& c = pass.config();
  const nn::ExpertGroups& groups = pass.ws.groups;
  const auto [routed, shared] = down_experts(pass, layer);
  const std::int64_t blocks = down_blocks(pass, layer);
  const RowBlock block = find_row_block(pass.rows, blocks, unit % blocks);
  const std::int64_t width = down_tile(pass, layer), first_col = unit / blocks * width;
  const ColumnTile tile{0, first_col, std::min(c.hidden_size, first_col + width)};
  const std::int64_t cols = tile.last - tile.first;
  // multiply() addresses y by absolute column; only this tile's columns exist.
  const auto outputs = [&](std::int64_t count) { return Matrix<float>{worker.local.data() - first_col, count, c.hidden_size, cols}; };
  for (std::int64_t a = 0; a < routed; ++a) {
    // the slots of a group are in the order of their rows
    const std::int32_t *begin = groups.row + groups.first[a], *end = groups.row + groups.first[a + 1];
    const std::int32_t* from = std::lower_bound(begin, end, block.first);
    const std::int64_t last = std::lower_bound(from, end, block.first + block.count) - groups.row;
    for (std::int64_t first = from - groups.row; first < last; first += kExpertPanel) {
      const std::int64_t count = std::min(kExpertPanel, last - first);
      multiply_down(pass, experts.store.expert(groups.active[a]).down, first, count, outputs(count), tile, worker);
      for (std::int64_t i = 0; i < count; ++i) {
        pass.kernels.axpy(groups.weight[first + i], worker.local.data() + i * cols, pass.ws.x.row(groups.row[first + i]) + first_col,
                          cols);
      }
    }
  }
  if (!shared) return;
  const Activations hidden = hidden_rows(pass, shared->in());
  for (std::int64_t first = block.first; first < block.first + block.count; first += kExpertPanel) {
    const std::int64_t count = std::min(kExpertPanel, block.first + block.count - first);
    shared->multiply(hidden.slice(first, count), outputs(count), tile.first, tile.last, worker.linear);
    for (std::int64_t i = 0; i < count; ++i) {
      pass.kernels.add(pass.ws.x.row(first + i) + first_col, worker.local.data() + i * cols, cols);
    }
  }
}

}  // namespace

constexpr StageKind multiply_experts_down{"multiply_experts_down", Part::experts, multiply_experts_down_units, run_multiply_experts_down};
constexpr StageKind add_experts{"add_experts", Part::experts, add_experts_units, run_add_experts, another_round, 2};
constexpr StageKind experts_down{"experts_down", Part::experts, experts_down_units, run_experts_down};

}  // namespace fathom::model::stages
