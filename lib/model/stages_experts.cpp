// The mixture-of-experts layer (DeepSeekMoE, arXiv:2401.06066): route, then each chosen expert over the rows that chose it,
// and the shared expert over all. Contributions are added in ascending expert order, so that bits do not depend on the mix.
#include <algorithm>
#include <cstring>

#include "model/gated_mlp.hpp"
#include "model/stage_support.hpp"

namespace fathom::model::stages {
namespace {

// ---------------------------------------------------------------- routing

std::int64_t router_units(const Pass& pass, int layer) {
  const nn::Linear* matrix[] = {&pass.layer(layer).experts.router};
  return count_product_units(pass, matrix);
}

void run_router(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&pass.layer(layer).experts.router};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  multiply_unit(*matrix[0], normed_rows(pass), pass.ws.router_logits, product, worker);
}

void run_choose(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::RouterConfig& router = pass.config().router;
  const std::int64_t k = router.experts_per_token;
  Workspace& ws = pass.ws;
  for (const RowSpan& span : pass.spans) {
    nn::Steering steering;
    if (span.steering) steering = {span.steering[layer].allowed, span.steering[layer].forced};
    for_rows(unit, pass.rows, [&](std::int64_t row) {
      if (row < span.first_row || row >= span.first_row + span.rows) return;
      nn::route(router, ws.router_logits.row(row), pass.layer(layer).experts.correction_bias, ws.route_ids.data() + row * k,
                ws.route_weights.data() + row * k, worker.local, steering);
    });
  }
}

std::int64_t one_unit(const Pass&, int) { return 1; }

void run_group_rows(Pass& pass, int layer, std::int64_t, Worker&) {
  const nn::RouterConfig& router = pass.config().router;
  Workspace& ws = pass.ws;
  pass.keep_routes(layer);
  nn::group_by_expert(ws.route_ids, ws.route_weights, pass.rows, router.experts_per_token, router.experts, ws.group_cursor, ws.groups);
}

// ---------------------------------------------------------------- gate and up

// Units: those of the shared expert, then for each active expert its tiles. Experts of a layer are of one shape.
std::int64_t shared_units(const Pass& pass, int layer) {
  const GatedMlp& shared = pass.layer(layer).experts.shared;
  return shared ? count_gate_up_units(pass, shared) : 0;
}
std::int64_t expert_tiles(const Pass& pass, int layer) {
  const nn::Linear* matrix[] = {&pass.layer(layer).experts.store.expert(0).gate};
  return count_column_tiles(matrix, pass.worker_count());
}

std::int64_t experts_gate_up_units(const Pass& pass, int layer) {
  return shared_units(pass, layer) + pass.ws.groups.count * expert_tiles(pass, layer);
}

// The normed rows of slots [first, first + count), side by side in the worker's memory, in the form `reader` wants.
Activations gather_rows(const Pass& pass, std::int64_t first, std::int64_t count, bool quantised, Worker& worker) {
  const std::int64_t cols = pass.config().hidden_size;
  const std::int32_t* rows = pass.ws.groups.row + first;
  if (count == 1) return normed_rows(pass).slice(rows[0], 1);
  Activations out{{nullptr, count, cols}, {}};
  if (!quantised) {
    float* to = worker.local.data();
    for (std::int64_t i = 0; i < count; ++i) {
      std::memcpy(to + i * cols, pass.ws.normed.row(rows[i]), std::size_t(cols) * sizeof(float));
    }
    out.f32.data = to;
    return out;
  }
  float* scales = worker.local.data();
  auto* sums = reinterpret_cast<std::int16_t*>(scales + count * (cols / 32));
  auto* values = reinterpret_cast<std::int8_t*>(sums + count * (cols / 16));
  const kernels::QuantisedRows from = pass.ws.normed_q8.rows(cols);
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(scales + i * (cols / 32), from.scales + rows[i] * (cols / 32), std::size_t(cols / 32) * sizeof(float));
    std::memcpy(sums + i * (cols / 16), from.sums + rows[i] * (cols / 16), std::size_t(cols / 16) * sizeof(std::int16_t));
    std::memcpy(values + i * cols, from.values + rows[i] * cols, std::size_t(cols));
  }
  out.quantised = {values, scales, sums, cols};
  return out;
}

void run_expert_gate_up(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const std::int64_t tiles = expert_tiles(pass, layer);
  const nn::ExpertGroups& groups = pass.ws.groups;
  const std::int64_t active = unit / tiles;
  const GatedMlp& expert = pass.layer(layer).experts.store.expert(groups.active[active]);
  const nn::Linear* matrix[] = {&expert.gate};
  const ColumnTile tile = find_column_tile(matrix, unit % tiles, pass.worker_count());
  const std::int64_t width = expert.gate.out();
  for (std::int64_t first = groups.first[active]; first < groups.first[active + 1]; first += kExpertPanel) {
    const std::int64_t count = std::min<std::int64_t>(kExpertPanel, groups.first[active + 1] - first);
    const Activations x = gather_rows(pass, first, count, expert.gate.reads_quantised(), worker);
    const Matrix<float> gate = pass.ws.slot_gate.slice(first, count), up = pass.ws.slot_up.slice(first, count);
    expert.gate.multiply(x, gate, tile.first, tile.last, worker.linear);
    expert.up.multiply(x, up, tile.first, tile.last, worker.linear);
    for (std::int64_t i = 0; i < count; ++i) {
      activate(pass, gate.row(i) + tile.first, up.row(i) + tile.first, tile.last - tile.first);
      if (expert.down.reads_quantised()) {
        pass.ws.slot_q8.store(pass.kernels, first + i, width, tile.first, tile.last, gate.row(i));
      }
    }
  }
}

void run_experts_gate_up(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const std::int64_t shared = shared_units(pass, layer);
  if (unit < shared) {
    run_gate_up_unit(pass, pass.layer(layer).experts.shared, unit, worker);
  } else {
    run_expert_gate_up(pass, layer, unit - shared, worker);
  }
}

// ---------------------------------------------------------------- down

// A unit is a range of the residual stream's columns for a block of its rows: every active expert's share of it, so that adding needs
// no lock and keeps its order.
// A column of all experts is much, so that 8-bit products, which like 16 columns as well as 64, go down to 16; in return a block has
// many rows, as each expert meets only some of them.
constexpr TileLimits kDownTile{.least = 16};
constexpr std::int64_t kDownRows = 256;
// Few rows only stream the weights, and 16 columns of an expert (15 KB) are over before a stream is under way.
constexpr TileLimits kStreamTile{.least = 16, .bytes = 2 << 20, .per_worker = 16};
constexpr std::int64_t kStreamRows = 16;

std::int64_t down_tile(const Pass& pass, int layer) {
  const ExpertWeights& experts = pass.layer(layer).experts;
  const nn::Linear& down = experts.store.expert(0).down;
  std::int64_t bytes = pass.ws.groups.count * down.weights().stored.row_bytes;
  if (experts.shared) bytes += experts.shared.down.weights().stored.row_bytes;
  const TileLimits limits = !down.reads_quantised() ? TileLimits{} : pass.rows <= kStreamRows ? kStreamTile : kDownTile;
  return tile_width(pass.config().hidden_size, bytes, pass.worker_count(), limits);
}

std::int64_t down_blocks(const Pass& pass, int layer) {
  const ExpertWeights& experts = pass.layer(layer).experts;
  const nn::Linear& down = experts.store.expert(0).down;
  if (down.reads_quantised() && (!experts.shared || experts.shared.down.reads_quantised())) return count_row_blocks(pass.rows, kDownRows);
  const nn::Linear* matrices[] = {&down, &experts.shared.down};
  return count_row_blocks(pass, std::span(matrices).first(experts.shared ? 2 : 1));
}

std::int64_t experts_down_units(const Pass& pass, int layer) {
  const std::int64_t tile = down_tile(pass, layer);
  return (pass.config().hidden_size + tile - 1) / tile * down_blocks(pass, layer);
}

void run_experts_down(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const ExpertWeights& experts = pass.layer(layer).experts;
  const Config& c = pass.config();
  const nn::ExpertGroups& groups = pass.ws.groups;
  const std::int64_t blocks = down_blocks(pass, layer);
  const RowBlock block = find_row_block(pass.rows, blocks, unit % blocks);
  const std::int64_t tile = down_tile(pass, layer), first_col = unit / blocks * tile;
  const std::int64_t cols = std::min(c.hidden_size, first_col + tile) - first_col;
  // multiply() addresses y by absolute column; only this tile's columns exist.
  const auto product = [&](const nn::Linear& down, const Activations& x) {
    const Matrix<float> y{worker.local.data() - first_col, x.rows(), c.hidden_size, cols};
    down.multiply(x, y, first_col, first_col + cols, worker.linear);
  };
  for (std::int64_t a = 0; a < groups.count; ++a) {
    const nn::Linear& down = experts.store.expert(groups.active[a]).down;
    const Activations hidden{pass.ws.slot_gate, pass.ws.slot_q8.rows(c.moe_intermediate_size)};
    // the slots of a group are in the order of their rows
    const std::int32_t *begin = groups.row + groups.first[a], *end = groups.row + groups.first[a + 1];
    const std::int32_t* from = std::lower_bound(begin, end, block.first);
    const std::int64_t last = std::lower_bound(from, end, block.first + block.count) - groups.row;
    for (std::int64_t first = from - groups.row; first < last; first += kExpertPanel) {
      const std::int64_t count = std::min(kExpertPanel, last - first);
      product(down, hidden.slice(first, count));
      for (std::int64_t i = 0; i < count; ++i) {
        pass.kernels.axpy(groups.weight[first + i], worker.local.data() + i * cols, pass.ws.x.row(groups.row[first + i]) + first_col,
                          cols);
      }
    }
  }
  if (!experts.shared) return;
  const Activations hidden = hidden_rows(pass, experts.shared.down.in());
  for (std::int64_t first = block.first; first < block.first + block.count; first += kExpertPanel) {
    const std::int64_t count = std::min(kExpertPanel, block.first + block.count - first);
    product(experts.shared.down, hidden.slice(first, count));
    for (std::int64_t i = 0; i < count; ++i) {
      pass.kernels.add(pass.ws.x.row(first + i) + first_col, worker.local.data() + i * cols, cols);
    }
  }
}

}  // namespace

constexpr StageKind router_logits{"router_logits", Part::router, router_units, run_router};
constexpr StageKind choose_experts{"choose_experts", Part::router, all_row_units, run_choose};
constexpr StageKind group_rows{"group_rows", Part::router, one_unit, run_group_rows};
constexpr StageKind experts_gate_up{"experts_gate_up", Part::experts, experts_gate_up_units, run_experts_gate_up};
constexpr StageKind experts_down{"experts_down", Part::experts, experts_down_units, run_experts_down};

}  // namespace fathom::model::stages
