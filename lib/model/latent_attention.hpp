// Which way rows attend to latents. Both read the same cache.
#pragma once

#include "model/stage_support.hpp"

namespace fathom::model {

// Long chunks: keys and values of the context are made head by head from its latents, and every row uses them. Other rows
// attend to the latents themselves.
inline bool expands(const Pass& pass, const RowSpan& span) {
  return !pass.network.engine->invariant && span.rows >= kExpandRows;
}

}  // namespace fathom::model
