#include "text/byte_alphabet.hpp"

#include <doctest/doctest.h>

#include <set>

#include "text/unicode.hpp"

using namespace fathom::text;

TEST_CASE("the stand-ins are those of GPT-2") {
  CHECK(byte_to_symbol(' ') == U'Ġ');
  CHECK(byte_to_symbol('\n') == U'Ċ');
  CHECK(byte_to_symbol(0x00) == 0x100);
  CHECK(byte_to_symbol(0x7F) == 0x121);
  CHECK(byte_to_symbol(0xA0) == 0x142);
  CHECK(byte_to_symbol(0xAD) == 0x143);
  CHECK(byte_to_symbol('A') == U'A');
  CHECK(byte_to_symbol(0xFF) == U'ÿ');
}

TEST_CASE("every byte has a stand-in of its own and comes back from it") {
  std::set<char32_t> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, char(byte));
    std::string symbols, back;
    append_symbols(bytes, symbols);
    REQUIRE(append_symbol_bytes(symbols, back));
    CHECK(back == bytes);
    CHECK(seen.insert(byte_to_symbol(std::uint8_t(byte))).second);
  }
}

TEST_CASE("a text with another character is left alone") {
  for (const char* text : {"a b", "\n", "\u00ad",
                           "ń"
                           "ő",
                           "Ġ你"}) {
    std::string out = "kept";
    CHECK_FALSE(append_symbol_bytes(text, out));
    CHECK(out == "kept");
  }
}
