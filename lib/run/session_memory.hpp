// What a session takes, before it is taken.
#pragma once

#include "fathom/session.hpp"
#include "model/pass/network.hpp"

namespace fathom {

// Of a network that may be without data. `workers`: tasks at once. Throws Error{invalid_argument} for options out of range.
MemoryNeeds session_memory(const model::Network& network, const ModelInfo& info, const SessionOptions& options, int workers);

}  // namespace fathom
