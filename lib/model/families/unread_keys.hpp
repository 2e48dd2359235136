// Configuration keys that a family did not read.
#pragma once

#include <string>
#include <vector>

#include "model/families/family.hpp"

namespace fathom::model {

// After the family has read the source. A key that is known to change a model's numbers is refused with Error{unsupported} by
// its name, unless its value is the one that changes nothing. Returns the keys that are neither known nor harmless.
std::vector<std::string> check_unread_keys(const ConfigSource& source, const Family& family);

}  // namespace fathom::model
