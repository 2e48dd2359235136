#include "model/plan.hpp"

#include <algorithm>

#include "model/config.hpp"
#include "nn/linear.hpp"

namespace fathom::model {
namespace {

std::int64_t tile_of(const nn::Linear& matrix, int workers, const TileLimits& limits) {
  return tile_width(matrix.out(), matrix.weights().stored.row_bytes, workers, limits);
}

std::int64_t tiles_of(const nn::Linear& matrix, int workers, const TileLimits& limits) {
  const std::int64_t tile = tile_of(matrix, workers, limits);
  return (matrix.out() + tile - 1) / tile;
}

}  // namespace

std::int64_t tile_width(std::int64_t columns, std::int64_t bytes_per_column, int workers, const TileLimits& limits) noexcept {
  const std::int64_t by_bytes = limits.bytes / std::max<std::int64_t>(bytes_per_column, 1);
  const std::int64_t by_share = columns / (limits.per_worker * workers);
  const std::int64_t widest = std::max(std::min(by_bytes, by_share) / limits.least, std::int64_t{1}) * limits.least;
  const std::int64_t rounds = (columns + widest * workers - 1) / (widest * workers);
  const std::int64_t even = (columns + rounds * workers - 1) / (rounds * workers);
  return (even + limits.least - 1) / limits.least * limits.least;
}

std::int64_t count_column_tiles(std::span<const nn::Linear* const> matrices, int workers, const TileLimits& limits) noexcept {
  std::int64_t count = 0;
  for (const nn::Linear* matrix : matrices) count += tiles_of(*matrix, workers, limits);
  return count;
}

ColumnTile find_column_tile(std::span<const nn::Linear* const> matrices, std::int64_t unit, int workers,
                            const TileLimits& limits) noexcept {
  int index = 0;
  for (std::int64_t tiles; unit >= (tiles = tiles_of(*matrices[std::size_t(index)], workers, limits)); ++index) unit -= tiles;
  const nn::Linear& matrix = *matrices[std::size_t(index)];
  const std::int64_t tile = tile_of(matrix, workers, limits);
  return {index, unit * tile, std::min(matrix.out(), (unit + 1) * tile)};
}

Plan plan_body(const Config& config) {
  Plan plan;
  plan.push_back({&stages::embed, 0});
  for (int layer = 0; layer < int(config.num_hidden_layers); ++layer) {
    const auto add = [&](const StageKind& kind) { plan.push_back({&kind, layer}); };
    add(stages::attn_norm);
    if (config.attention == Attention::latent) {
      add(stages::project_latent);
      add(stages::norm_and_store_latent);
      if (config.q_lora_rank > 0) {
        add(stages::project_queries);
        add(stages::rotate_queries);
      }
      add(stages::absorb_queries);
      add(stages::attend_absorbed);
      add(stages::expand_values);
      add(stages::expand_latents);
      add(stages::attend_expanded);
    } else {
      add(stages::project_qkv);
      add(stages::rotate_and_store);
      add(stages::attend);
    }
    add(stages::round_heads);
    add(stages::attn_output);
    add(stages::ffn_norm);
    if (config.is_moe(layer)) {
      add(stages::router_logits);
      add(stages::choose_experts);
      add(stages::group_rows);
      add(stages::experts_gate_up);
      add(stages::routed_down);
      add(stages::add_experts);
      add(stages::shared_down);
    } else {
      add(stages::gate_up);
      add(stages::down);
    }
  }
  return plan;
}

Plan plan_head() { return {{&stages::final_norm, 0}, {&stages::logits, 0}}; }

}  // namespace fathom::model
