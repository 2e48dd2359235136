// What a session takes, before it is taken.
#include "run/session_memory.hpp"

#include "run/session_defaults.hpp"
#include "run/timeline.hpp"

namespace fathom {

MemoryNeeds session_memory(const model::Network& network, const ModelInfo& info, const SessionOptions& options, int workers) {
  const std::int64_t context = choose_context(options, info);
  MemoryNeeds needs;
  needs.cache_bytes = nn::KvCache::bytes_for(network.cache_shape(cache_storage(options.cache, network)), context);
  // Of the pool: sessions that do not step at the same time share it.
  needs.scratch_bytes = PooledPass::bytes_for(network, session_pass(options, info), workers);
  // The session's own: its row of logits, the timeline, what is not taken, totals.
  needs.other_bytes = info.vocab_size * std::int64_t(sizeof(float)) + context * std::int64_t(2 * sizeof(TokenId));
  if (const std::int32_t n = choose_top_logprobs(options))
    needs.other_bytes += std::min(context, kRoomForLogprobs) * (1 + n) * std::int64_t(sizeof(TokenLogprob));
  if (options.count_routes) needs.other_bytes += network.moe_layers() * info.experts * 16;
  needs.peak_bytes = needs.cache_bytes + needs.scratch_bytes + needs.other_bytes;
  return needs;
}

MemoryNeeds Model::session_memory(const SessionOptions& options) const {
  return fathom::session_memory(*impl_->network, info(), options, impl_->runtime->tasks->concurrency());
}

}  // namespace fathom
