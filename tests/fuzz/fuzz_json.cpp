// JSON: the first byte chooses whether duplicate keys are refused, the rest is the text. What parses must have no fault
// by find_json_fault's reading either.
#include <cstdint>

#include "fathom/error.hpp"
#include "io/json.hpp"
#include "io/json_fault.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    fathom::io::parse_json(text, "fuzz", data[0] & 1);
  } catch (const fathom::Error& error) {
    if (error.message().empty() || error.status() == fathom::Status::internal) __builtin_trap();
    return 0;
  }
  const bool marked = text.starts_with("\xef\xbb\xbf");
  // 64 levels that hold something, and an empty one in the innermost.
  if (fathom::io::find_json_fault(text.substr(marked ? 3 : 0), 65)) __builtin_trap();
  return 0;
}
