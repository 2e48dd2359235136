// The order of work: a forward pass as a list of stages, each a number of independent units. A unit is what cannot be
// interrupted: some columns of a matrix, a group of heads, a few rows of a vector operation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fathom::nn {
class Linear;
}

namespace fathom::model {

struct Config;
class Pass;

// For the account of where time goes.
enum class Part : std::uint8_t { attention, router, experts, mlp, head, other };
inline constexpr int kParts = 6;

// What one task owns while it runs units. Sized when the pass is made.
struct Worker {
  std::span<std::byte> linear;  // for the back ends, and for attention in BF16
  std::span<float> local;       // for the stage
};

struct StageKind {
  const char* name;
  Part part;
  std::int64_t (*units)(const Pass& pass, int layer);
  void (*run)(Pass& pass, int layer, std::int64_t unit, Worker& worker);
  // For the last stage of a loop: do its stages, this one and those just before it, run again with the next Pass::round?
  bool (*another_round)(const Pass& pass) = nullptr;
  std::size_t stages_a_round = 1;
};

struct Stage {
  const StageKind* kind;
  int layer;
};
using Plan = std::vector<Stage>;

Plan plan_body(const Config& config);
Plan plan_head();

// The stages, by file.
namespace stages {
extern const StageKind embed, final_norm, logits;                                               // stages_outer.cpp
extern const StageKind attn_norm, round_heads, attn_output;                                     // stages_attention.cpp
extern const StageKind project_qkv, rotate_and_store, attend;                                   // stages_attention.cpp
extern const StageKind project_latent, norm_and_store_latent, project_queries, rotate_queries;  // stages_latent.cpp
extern const StageKind absorb_queries, attend_absorbed, expand_values;                          // stages_latent_absorbed.cpp
extern const StageKind expand_latents, attend_expanded;                                         // stages_latent_expanded.cpp
extern const StageKind ffn_norm, gate_up, down;                                                 // stages_mlp.cpp
extern const StageKind router_logits, choose_experts, group_rows, experts_gate_up;              // stages_experts.cpp
extern const StageKind routed_down, add_experts, shared_down;                                   // stages_experts_down.cpp
}  // namespace stages

// Columns [first, last) of one matrix.
struct ColumnTile {
  int matrix = 0;  // index in the list
  std::int64_t first = 0, last = 0;
};

// How large a tile of columns is: whole multiples of `least` columns, at most `bytes` of weights, not fewer than `per_worker`
// for each worker, and as many for each. 64 is a multiple of what back ends take together, and of the 32 values that are
// quantised together.
struct TileLimits {
  std::int64_t least = 64;
  std::int64_t bytes = 256 << 10;
  std::int64_t per_worker = 4;
};
// Few rows of activations mostly stream the weights, and the longer a stream is, the faster.
inline constexpr std::int64_t kStreamRows = 32;
inline constexpr TileLimits kStreamTiles{.bytes = 1 << 20, .per_worker = 1};
std::int64_t tile_width(std::int64_t columns, std::int64_t bytes_per_column, int workers,
                        const TileLimits& limits = {}) noexcept;
// The tiles of matrices of one shape whose formats may differ: cut alike, by the widest column.
struct EvenTiles {
  EvenTiles(std::int64_t columns_, std::int64_t bytes_per_column, int workers, const TileLimits& limits) noexcept
      : columns(columns_),
        width(tile_width(columns_, bytes_per_column, workers, limits)),
        count((columns_ + width - 1) / width) {}
  ColumnTile at(std::int64_t index) const noexcept { return {0, index * width, std::min(columns, (index + 1) * width)}; }

  std::int64_t columns, width, count;
};
// The tiles of several matrices that read the same activations, one after another.
std::int64_t count_column_tiles(std::span<const nn::Linear* const> matrices, int workers,
                                const TileLimits& limits = {}) noexcept;
ColumnTile find_column_tile(std::span<const nn::Linear* const> matrices, std::int64_t unit, int workers,
                            const TileLimits& limits = {}) noexcept;

// Rows of small vector work in one unit.
inline constexpr std::int64_t kRowsPerUnit = 16;
inline std::int64_t row_units(std::int64_t rows) { return (rows + kRowsPerUnit - 1) / kRowsPerUnit; }

}  // namespace fathom::model
