// From a checkpoint to a network: every tensor found by name, checked against the configuration, mapped where it lies.
#pragma once

#include <string>
#include <vector>

#include "backend/select.hpp"
#include "io/open.hpp"
#include "model/families/family.hpp"
#include "model/pass/network.hpp"
#include "model/tensors/load_options.hpp"

namespace fathom::model {

struct LoadedWeights {
  LoadBytes bytes;
  std::vector<Placement> placements;  // left to do: until then these matrices hold nothing
  std::vector<std::string> unused;    // tensors that the model has no use for
};

// Fills the network's weights and plans from network.config. Takes over checkpoint.tensors. Throws Error{corrupt_file,
// unsupported, out_of_memory, cancelled}; nothing is kept then.
LoadedWeights load_network(io::Checkpoint& checkpoint, const Family& family, Allocator& allocator, const LoadOptions& options,
                           Network& network);

// The same without reading a weight: throws what load_network would throw. The network it fills has shapes, formats and plans,
// and no data; it can tell what sessions take.
LoadedWeights check_network(const io::Checkpoint& checkpoint, const Family& family, const LoadOptions& options,
                            Network& network);

}  // namespace fathom::model
