#include "model/pass/pass_memory.hpp"

#include <algorithm>

namespace fathom::model {

std::size_t PassMemory::lay_out(const Network& network, const PassSize& limits, std::byte* base) {
  const Config& c = network.config;
  PassMemoryPlan plan{limits, network.activation_forms(limits.rows), Arena(base)};
  Arena& arena = plan.arena;
  x = arena.matrix(limits.rows, c.hidden_size);
  normed = arena.matrix(limits.rows, c.hidden_size);
  normed_rounded = arena.rounded(limits.rows, c.hidden_size, plan.forms);
  branch = arena.matrix(limits.rows, c.hidden_size);
  for (const nn::RopeConfig& rope : c.ropes) {
    ropes.push_back({arena.matrix(limits.rows, rope.dims / 2), arena.matrix(limits.rows, rope.dims / 2)});
  }
  logits = arena.matrix(limits.logit_rows, c.vocab_size);
  plan.want_local(c.hidden_size);  // an embedding as it is stored
  network.for_matrices([&](const MatrixUse& use) {
    plan.want_linear(use.scratch_bytes);
    if (use.linear) plan.want_linear(use.linear->scratch_bytes(limits.rows));
  });

  const std::size_t shared = arena.used();
  for (std::size_t i = 0; i < network.mechanisms.size(); ++i) {
    std::vector<int> layers;
    for (int layer = 0; layer < int(network.layers.size()); ++layer) {
      for (const Block& block : network.layers[std::size_t(layer)].blocks) {
        if (block.scratch == i) layers.push_back(layer);
      }
    }
    arena.reuse_from(shared);
    network.mechanisms[i]->memory(network, layers, plan, scratch.emplace_back());
  }
  arena.reuse_from(arena.most());

  workers.resize(std::size_t(limits.workers));
  const std::int64_t local = plan.local_floats + 64;
  for (Worker& worker : workers) {
    worker.linear = {arena.take<std::byte>(std::int64_t(plan.linear_bytes)), plan.linear_bytes};
    worker.local = {arena.take<float>(local), std::size_t(local)};
  }
  return arena.most();
}

PassMemory::PassMemory(const Network& network, const PassSize& limits, Allocator& allocator)
    : memory_(allocator, std::size_t(bytes_for(network, limits)), MemoryPurpose::scratch) {
  lay_out(network, limits, memory_.data());
}

std::int64_t PassMemory::bytes_for(const Network& network, const PassSize& limits) {
  PassMemory counted;
  return std::int64_t(counted.lay_out(network, limits, nullptr));
}

}  // namespace fathom::model
