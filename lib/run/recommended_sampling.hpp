// The sampling that a checkpoint recommends.
#pragma once

#include "fathom/host.hpp"
#include "fathom/sampling.hpp"

namespace fathom::io {
struct Checkpoint;
}

namespace fathom {

// Reads generation_config.json of a folder, general.sampling.* of a GGUF file. A value that is not stated has the default of
// SamplingOptions. A value of another type or out of range is left out, with a warning in the log (which may be null).
SamplingOptions recommended_sampling(const io::Checkpoint& checkpoint, LogSink* log);

}  // namespace fathom
