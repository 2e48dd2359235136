// JSON text to Value. The only file that knows the JSON library.
#pragma once

#include <span>
#include <string_view>

#include "io/value.hpp"

namespace fathom::io {

// Throws Error{corrupt_file} that names `origin` (a path), the byte offset where one is known, and what was expected.
// Bounds: nesting of at most 64 levels. Of duplicate keys in one object the last value counts, or they are refused when
// `refuse_duplicates`.
// Python's NaN and Infinity are accepted as doubles (config.json files have them).
Value parse_json(std::string_view text, std::string_view origin, bool refuse_duplicates = false);

}  // namespace fathom::io
