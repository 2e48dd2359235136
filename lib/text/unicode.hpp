// UTF-8 and the Unicode tables: validation, replacement of what is not UTF-8, normalisation forms, character classes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fathom::text {

enum class NormalizationForm { nfc, nfd, nfkc, nfkd };

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

enum class Utf8Kind {
  character,   // a whole, well-formed sequence
  invalid,     // a maximal part that no continuation can make well-formed: one U+FFFD
  unfinished,  // well-formed as far as it goes, and at the end of the bytes
};
struct Utf8Sequence {
  Utf8Kind kind;
  std::size_t bytes;
};

// The sequence at the start of `bytes`, which is not empty.
Utf8Sequence next_utf8(std::string_view bytes) noexcept;
bool is_utf8(std::string_view bytes) noexcept;
// Appends `bytes` with one U+FFFD for each maximal part that is not UTF-8.
void append_valid_utf8(std::string_view bytes, std::string& out);

// The functions below take well-formed UTF-8.
// Bytes of the character that starts with `lead`.
inline std::size_t utf8_length(char lead) noexcept {
  const unsigned char byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}
char32_t first_code_point(std::string_view text) noexcept;
char32_t last_code_point(std::string_view text) noexcept;
void append_utf8(char32_t code_point, std::string& out);

std::string normalize(std::string_view text, NormalizationForm form);

bool is_white_space(char32_t c) noexcept;  // Unicode White_Space
// What counts as part of a word: Alphabetic, marks, decimal digits, connectors and joiners.
bool is_word(char32_t c) noexcept;

}  // namespace fathom::text
