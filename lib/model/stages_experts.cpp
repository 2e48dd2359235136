// The mixture-of-experts layer (DeepSeekMoE, arXiv:2401.06066): route, then each chosen expert over the rows that chose it,
// and the shared expert over all. Contributions are added in ascending expert order, so that bits do not depend on the mix.
#include <algorithm>
#include <cstring>

#include "model/gated_mlp.hpp"
#include "model/stage_support.hpp"

namespace fathom::model::stages {
namespace {

// ---------------------------------------------------------------- routing

// There are few columns, and nothing is quantised behind them: with tiles as wide as elsewhere one worker would do all of it.
constexpr TileLimits kRouterTiles{.least = 16};

std::int64_t router_units(const Pass& pass, int layer) {
  const nn::Linear* matrix[] = {&pass.layer(layer).experts.router};
  return count_product_units(pass, matrix, kRouterTiles);
}

void run_router(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&pass.layer(layer).experts.router};
  const ProductUnit product = find_product_unit(pass, matrix, unit, kRouterTiles);
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
  return count_column_tiles(matrix, pass.worker_count(), tile_limits(pass.ws.groups.most));
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
  const ColumnTile tile = find_column_tile(matrix, unit % tiles, pass.worker_count(), tile_limits(pass.ws.groups.most));
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

}  // namespace

constexpr StageKind router_logits{"router_logits", Part::router, router_units, run_router};
constexpr StageKind choose_experts{"choose_experts", Part::router, all_row_units, run_choose};
constexpr StageKind group_rows{"group_rows", Part::router, one_unit, run_group_rows};
constexpr StageKind experts_gate_up{"experts_gate_up", Part::experts, experts_gate_up_units, run_experts_gate_up};

}  // namespace fathom::model::stages
