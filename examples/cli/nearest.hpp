// The known name that a mistyped one is nearest to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cli {

// By edit distance: letters inserted, removed or exchanged. Of equals the first. `known` is not empty.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace cli
