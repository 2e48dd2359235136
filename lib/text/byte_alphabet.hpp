// The printable stand-ins that byte-level vocabularies write for the 256 bytes (GPT-2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::text {

// Bytes 21-7E, A1-AC and AE-FF stand for themselves; the other 68, in order, are U+0100 and up.
char32_t byte_to_symbol(std::uint8_t byte) noexcept;
// Appends the stand-ins of `bytes` as UTF-8.
void append_symbols(std::string_view bytes, std::string& out);
// Appends the bytes that the stand-ins in `text` (well-formed UTF-8) mean. False, and nothing appended, when a character of
// it is no stand-in.
bool append_symbol_bytes(std::string_view text, std::string& out);

}  // namespace fathom::text
