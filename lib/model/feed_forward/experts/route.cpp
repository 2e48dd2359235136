// The first half of the mixture-of-experts layer: the router's choice, then gate and up of each chosen expert and of the shared
// one.
#include <algorithm>
#include <cstring>

#include "model/feed_forward/experts/experts.hpp"
#include "model/pass/products.hpp"
#include "nn/router.hpp"

namespace fathom::model {
namespace {

// ---------------------------------------------------------------- routing

// There are few columns, and nothing is quantised behind them: with tiles as wide as elsewhere one worker would do all of it.
constexpr TileLimits kRouterTiles{.least = 16};

std::int64_t router_units(const Pass& pass, Place at) {
  const nn::Linear* matrix[] = {&pass.weights<ExpertWeights>(at).router};
  return count_product_units(pass, matrix, kRouterTiles);
}

void run_router(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&pass.weights<ExpertWeights>(at).router};
  const ProductUnit product = find_product_unit(pass, matrix, unit, kRouterTiles);
  multiply_unit(*matrix[0], normed_rows(pass), pass.scratch<ExpertScratch>(at).router_logits, product, worker);
}

void run_choose(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const nn::RouterConfig& router = pass.config().router;
  const std::int64_t k = router.experts_per_token;
  ExpertScratch& s = pass.scratch<ExpertScratch>(at);
  for (const RowSpan& span : pass.spans) {
    nn::Steering steering;
    if (span.steering) steering = {span.steering[at.layer].allowed, span.steering[at.layer].forced};
    for_rows(unit, pass.rows, [&](std::int64_t row) {
      if (row < span.first_row || row >= span.first_row + span.rows) return;
      nn::route(router, s.router_logits.row(row), pass.weights<ExpertWeights>(at).correction_bias, s.route_ids.data() + row * k,
                s.route_weights.data() + row * k, worker.local, steering);
    });
  }
}

// Sorts the rows by expert.
Prepared group_rows(Pass& pass, Place at) {
  const nn::RouterConfig& router = pass.config().router;
  ExpertScratch& s = pass.scratch<ExpertScratch>(at);
  const std::size_t slots = std::size_t(pass.rows * router.experts_per_token);
  pass.routes.keep(at.layer, s.route_ids.first(slots), s.route_weights.first(slots));
  nn::group_by_expert(s.route_ids, s.route_weights, pass.rows, router.experts_per_token, router.experts, s.group_cursor,
                      s.groups);
  return Prepared::ready;
}

// ---------------------------------------------------------------- gate and up

// Units: those of the shared expert, then for each active expert its tiles.
std::int64_t shared_units(const Pass& pass, Place at) {
  const GatedMlp& shared = pass.weights<ExpertWeights>(at).shared;
  return shared ? count_gate_up_units(pass, shared) : 0;
}
EvenTiles expert_tiles(const Pass& pass, Place at) {
  const MatrixColumns gate = pass.weights<ExpertWeights>(at).store.gate_columns();
  return EvenTiles(gate.count, gate.bytes_each, pass.worker_count(), tile_limits(pass.scratch<ExpertScratch>(at).groups.most));
}

std::int64_t experts_gate_up_units(const Pass& pass, Place at) {
  return shared_units(pass, at) + pass.scratch<ExpertScratch>(at).groups.count * expert_tiles(pass, at).count;
}

// Rows `rows` of `from`, `size` bytes each.
void gather(const std::int32_t* rows, std::int64_t count, const void* from, std::int64_t from_stride, std::int64_t size,
            void* to, std::int64_t to_stride) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<std::byte*>(to) + i * to_stride, static_cast<const std::byte*>(from) + rows[i] * from_stride,
                std::size_t(size));
  }
}

// The normed rows `rows` [count], side by side in the worker's memory, in the forms that gate and up take of
// so many.
Activations gather_rows(const Pass& pass, const std::int32_t* rows, std::int64_t count, const GatedMlp& expert,
                        Worker& worker) {
  const std::int64_t cols = pass.config().hidden_size;
  const Activations all = normed_rows(pass);
  if (count == 1) return all.slice(rows[0], 1);
  ActivationForms forms;
  forms.add(expert.gate.form(count));
  forms.add(expert.up.form(count));
  Activations out;
  out.f32 = {nullptr, count, cols};
  auto* next = reinterpret_cast<std::byte*>(worker.local.data());
  const auto take = [&](const void* from, std::int64_t from_stride, std::int64_t size, std::int64_t padded_rows) {
    std::byte* const to = next;
    gather(rows, count, from, from_stride, size, to, from_stride);
    next += padded_rows * from_stride;
    return to;
  };
  // BF16 first: it wants lines of the cache.
  if (forms.bf16_terms() > 0) {
    const std::int64_t stride = all.bf16.stride, padded_rows = count + kernels::kBf16Rows;
    out.bf16 = {reinterpret_cast<const std::uint16_t*>(next), stride, padded_rows * stride};
    for (int term = 0; term < forms.bf16_terms(); ++term) {
      take(all.bf16.values + term * all.bf16.term_stride, 2 * stride, 2 * cols, padded_rows);
    }
  }
  if (forms.has(ActivationForm::f32)) {
    const std::int64_t size = cols * std::int64_t(sizeof(float));
    out.f32.data = reinterpret_cast<const float*>(take(all.f32.data, size, size, count));
  }
  if (forms.has(ActivationForm::quantised)) {
    out.quantised.scales = reinterpret_cast<const float*>(take(all.quantised.scales, cols / 8, cols / 8, count));
    out.quantised.sums = reinterpret_cast<const std::int16_t*>(take(all.quantised.sums, cols / 8, cols / 8, count));
    out.quantised.values = reinterpret_cast<const std::int8_t*>(take(all.quantised.values, cols, cols, count));
    out.quantised.cols = cols;
  }
  return out;
}

void run_expert_gate_up(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const EvenTiles tiles = expert_tiles(pass, at);
  const nn::ExpertGroups& groups = pass.scratch<ExpertScratch>(at).groups;
  const std::int64_t active = unit / tiles.count;
  const GatedMlp& expert = pass.weights<ExpertWeights>(at).store.expert(groups.active[active]);
  const ColumnTile tile = tiles.at(unit % tiles.count);
  const std::int64_t width = expert.gate.out();
  // Rounds of down projections may part an expert's rows.
  const ActivationForms forms = expert.down.forms(groups.first[active + 1] - groups.first[active]);
  for (std::int64_t first = groups.first[active]; first < groups.first[active + 1]; first += kExpertPanel) {
    const std::int64_t count = std::min<std::int64_t>(kExpertPanel, groups.first[active + 1] - first);
    const Activations x = gather_rows(pass, groups.row + first, count, expert, worker);
    const Matrix<float> gate = pass.scratch<ExpertScratch>(at).slot_gate.slice(first, count),
                        up = pass.scratch<ExpertScratch>(at).slot_up.slice(first, count);
    expert.gate.multiply(x, gate, tile.first, tile.last, worker.linear);
    expert.up.multiply(x, up, tile.first, tile.last, worker.linear);
    for (std::int64_t i = 0; i < count; ++i) {
      activate(pass, gate.row(i) + tile.first, up.row(i) + tile.first, tile.last - tile.first);
      pass.scratch<ExpertScratch>(at).slot_rounded.store(pass.kernels, forms, first + i, width, tile.first, tile.last,
                                                         gate.row(i));
    }
  }
}

void run_experts_gate_up(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const std::int64_t shared = shared_units(pass, at);
  if (unit < shared) {
    run_gate_up_unit(pass, pass.weights<ExpertWeights>(at).shared, pass.scratch<ExpertScratch>(at).shared, unit, worker);
  } else {
    run_expert_gate_up(pass, at, unit - shared, worker);
  }
}

}  // namespace

constexpr StageKind kRouterLogits{"router_logits", Part::router, router_units, run_router};
constexpr StageKind kChooseExperts{"choose_experts", Part::router, all_row_units, run_choose};
constexpr StageKind kExpertsGateUp{"experts_gate_up", Part::experts, experts_gate_up_units, run_experts_gate_up, group_rows};

}  // namespace fathom::model
