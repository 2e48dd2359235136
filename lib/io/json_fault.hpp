// Where a text that the JSON library refused stops being JSON. The library says what is wrong but not where.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace fathom::io {

struct JsonFault {
  std::size_t offset = 0;     // in bytes, of the first one that cannot be there; the text's size when it ends too early
  std::string_view expected;  // "a value", "',' or '}'", ...
};

// The first fault, or nothing when the text is JSON by this reading (which leaves the range of numbers unchecked).
std::optional<JsonFault> find_json_fault(std::string_view text, int max_depth);

}  // namespace fathom::io
