// ModelInfo from a checkpoint and its configuration.
#pragma once

#include <string>

#include "fathom/model.hpp"
#include "model/config/config.hpp"

namespace fathom::io {
struct Checkpoint;
}

namespace fathom {

ModelInfo describe_model(const io::Checkpoint& checkpoint, const model::Config& config);

}  // namespace fathom
