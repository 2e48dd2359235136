// The pre-norm residual: a block reads RMSNorm(x), and its output is added to x as it is made.
#pragma once

#include "model/mechanism.hpp"

namespace fathom::model {

extern const Residual kPlainResidual;

}  // namespace fathom::model
