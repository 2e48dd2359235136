// Opens a network and takes prompts through its forward pass, without a session.
#pragma once

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.hpp"
#include "model/load/open_model.hpp"
#include "model/pass/pass.hpp"
#include "platform/cpu_features.hpp"
#include "platform/os_file_system.hpp"
#include "support/task_systems.hpp"
#include "unit/model/memory_checkpoint.hpp"

namespace fathom::test {

inline std::shared_ptr<const model::Network> open_network(FileSystem& files, const std::string& path, bool invariant) {
  model::LoadOptions options;
  return model::open_model(path, files, std::make_shared<Engine>(int(detect_isa()), invariant), heap_allocator(), options)
      .network;
}
inline std::shared_ptr<const model::Network> open_fixture(std::string_view model, bool invariant) {
  return open_network(os_file_system(), fixture_folder(model), invariant);
}

inline std::vector<std::int32_t> random_prompt(const model::Network& network, std::int64_t length, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < length; ++i) ids.push_back(std::int32_t(rng.next() % std::uint64_t(network.config.vocab_size)));
  return ids;
}

inline nn::KvCache make_cache(const model::Network& network, std::int64_t context = 256) {
  return nn::KvCache(network.cache_shape(StorageFormat::f32), context, heap_allocator());
}

// How a pass is driven. `advance` is called until it says done.
struct Drive {
  TaskSystem* tasks = nullptr;
  int workers = 1;
  Deadline deadline = Deadline::never();
  std::int64_t advances = 0;  // calls so far

  void finish(model::Pass& pass) {
    static const CancelFlag never{false};
    do ++advances;
    while (!pass.advance(*tasks, deadline, never));
  }
};

// Logits of every row, [rows, vocab].
inline std::vector<float> all_logits(model::Pass& pass, Drive& drive) {
  std::vector<float> logits;
  for (std::int64_t row = 0; row < pass.rows; ++row) {
    pass.begin_head(row, 1);
    drive.finish(pass);
    const float* first = pass.logits().row(0);
    logits.insert(logits.end(), first, first + pass.logits().cols);
  }
  return logits;
}

// A whole prompt in chunks, from an empty cache.
inline std::vector<float> run_prompt(const model::Network& network, const std::vector<std::int32_t>& ids, Drive& drive,
                                     std::int64_t chunk = 256) {
  model::Pass pass(network, chunk, 1, drive.workers, heap_allocator());
  nn::KvCache cache = make_cache(network, std::max<std::int64_t>(256, std::int64_t(ids.size())));
  std::vector<float> logits;
  for (std::int64_t first = 0; first < std::int64_t(ids.size()); first += chunk) {
    const std::int64_t rows = std::min(chunk, std::int64_t(ids.size()) - first);
    const model::RowSpan span{&cache, first, 0, rows};
    pass.begin({&span, 1}, std::span(ids).subspan(std::size_t(first), std::size_t(rows)));
    drive.finish(pass);
    const std::vector<float> part = all_logits(pass, drive);
    logits.insert(logits.end(), part.begin(), part.end());
  }
  return logits;
}

// Serial, and nothing interrupts it.
inline std::vector<float> run_plainly(const model::Network& network, const std::vector<std::int32_t>& ids,
                                      std::int64_t chunk = 256) {
  ShuffledTasks tasks(1);
  Drive drive{&tasks};
  return run_prompt(network, ids, drive, chunk);
}

}  // namespace fathom::test
