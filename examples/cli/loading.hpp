// Opening a model while a person watches.
#pragma once

#include "arguments.hpp"
#include "fathom/model.hpp"

namespace cli {

using fathom::Model;
using fathom::Runtime;

struct LoadedModel {
  Runtime runtime;
  Model model;
  double load_ms = 0;
};

// Shows progress on stderr where that is a terminal, and with `report` plain lines where it is not.
LoadedModel load(const ModelArguments& arguments, bool report = false);

}  // namespace cli
