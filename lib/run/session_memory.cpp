// What a session takes, before it is taken.
#include "model/pass/pass_memory.hpp"
#include "run/session_defaults.hpp"
#include "run/session_impl.hpp"

namespace fathom {

MemoryNeeds Model::session_memory(const SessionOptions& options) const {
  const model::Network& network = *impl_->network;
  const std::int64_t context = choose_context(options, info());
  const std::int64_t rows = choose_rows(options, context);
  MemoryNeeds needs;
  needs.cache_bytes = nn::KvCache::bytes_for(network.cache_shape(cache_storage(options.cache, network)), context);
  needs.scratch_bytes = model::PassMemory::bytes_for(network, {rows, kLogitRows, impl_->runtime->tasks->concurrency()});
  if ((options.trace_routes || options.count_routes) && info().experts > 0) {
    const std::int64_t choices = network.moe_layers() * rows * info().experts_per_token;
    needs.other_bytes += choices * std::int64_t(sizeof(std::int32_t) + sizeof(float));
  }
  if (options.count_routes) needs.other_bytes += network.moe_layers() * info().experts * 16;
  needs.other_bytes += Sampler::bytes_for(info().vocab_size);
  needs.other_bytes += context * std::int64_t(2 * sizeof(TokenId));  // the timeline, and what is not taken
  if (const std::int32_t n = choose_top_logprobs(options))
    needs.other_bytes += context * (1 + n) * std::int64_t(sizeof(TokenLogprob));
  needs.peak_bytes = needs.cache_bytes + needs.scratch_bytes + needs.other_bytes;
  return needs;
}

}  // namespace fathom
