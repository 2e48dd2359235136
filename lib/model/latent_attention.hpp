// Which way rows attend to latents. All three read the same cache.
#pragma once

#include "model/stage_support.hpp"

namespace fathom::model {

// Long chunks: keys and values of the context are made head by head from its latents, and every row uses them.
inline bool expands(const Pass& pass, const RowSpan& span) {
  return !pass.network.engine->invariant && span.rows >= kExpandRows;
}

// Passes of few rows: queries go down to the latents' space first, then blocks of the context are attended to side by side.
inline bool splits_context(const Pass& pass) { return pass.rows <= kSplitRows; }

// What several blocks came to is merged in ascending order, whoever computed them: so bits do not depend on the way taken.
inline constexpr std::int64_t kBlockPages = 4;
inline constexpr std::int64_t kBlockPositions = kBlockPages * nn::KvCache::kPageRows;
inline std::int64_t count_context_blocks(std::int64_t last_position) { return last_position / kBlockPositions + 1; }

// Heads that share one reading of the latents, out of `heads`, where `units` would be all the units if they shared it all.
inline std::int64_t heads_per_group(const Pass& pass, std::int64_t most, std::int64_t units = 1) {
  const std::int64_t heads = pass.config().num_attention_heads, wanted = 2 * pass.worker_count();
  return std::clamp<std::int64_t>(std::min(most, (heads * units + wanted - 1) / wanted), 1, heads);
}

}  // namespace fathom::model
