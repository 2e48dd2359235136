// From a path to a network: the container, the family, the configuration, the weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/allocator.hpp"
#include "base/file_system.hpp"
#include "io/open.hpp"
#include "model/load/loader.hpp"
#include "model/pass/network.hpp"

namespace fathom::model {

struct OpenedModel {
  std::shared_ptr<const Network> network;
  io::Checkpoint checkpoint;  // its tensors now belong to the network; configuration and tokenizer files are left
  std::int64_t parameters = 0;
  std::int64_t weight_bytes = 0;
  std::vector<std::pair<std::string, std::string>> texts;  // what it says of itself
  std::vector<std::string> unused_tensors;                 // that take no part in the model
  std::vector<std::string> unknown_keys;                   // of the configuration: neither used nor known to be harmless
  std::vector<std::uint64_t> mapped_ends;                  // TensorSource::mapped_ends() of what was not moved
};

// The network gets an engine of its own, which shares the runtime's back ends. Throws Error; nothing is kept then.
OpenedModel open_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> of_runtime,
                       Allocator& allocator, const LoadOptions& options);

// What a checkpoint is, from its headers.
struct ModelHeader {
  io::Checkpoint checkpoint;
  Config config;
  bool runs = false;
  std::string reason;                      // when it does not run
  std::shared_ptr<const Network> network;  // when it runs: shapes and formats without data, to measure sessions by
};
// Throws only when the path is no checkpoint at all.
ModelHeader inspect_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> engine);

// What opening it would take, from its headers.
struct LoadNeeds {
  std::int64_t mapped_bytes = 0;   // files used where they lie, without what is placed
  std::int64_t weights_bytes = 0;  // from the allocator
};
LoadNeeds measure_model(const std::string& path, FileSystem& files, std::shared_ptr<const Engine> engine,
                        const LoadOptions& options);

}  // namespace fathom::model
