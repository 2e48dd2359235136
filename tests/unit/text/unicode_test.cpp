#include "text/unicode.hpp"

#include <doctest/doctest.h>

#include <string>

#include "unit/text/fixture.hpp"

using namespace fathom::text;
using fathom::test::cpu_seconds;

namespace {

std::string valid(std::string_view bytes) {
  std::string out;
  append_valid_utf8(bytes, out);
  return out;
}

const std::string kBad(kReplacementCharacter);

}  // namespace

TEST_CASE("each maximal part that is not UTF-8 becomes one U+FFFD") {
  CHECK(valid("") == "");
  CHECK(valid("abc é 你 🙂") == "abc é 你 🙂");
  CHECK(valid("\x80") == kBad);
  CHECK(valid("\xC0\xAF") == kBad + kBad);  // no two-byte form of ASCII
  CHECK(valid("\xE4\xBD") == kBad);         // cut off at the end
  CHECK(valid("\xE4\xBD"
              "a") == kBad + "a");                                // cut off in the middle
  CHECK(valid("\xED\xA0\x80") == kBad + kBad + kBad);             // a surrogate
  CHECK(valid("\xF4\x90\x80\x80") == kBad + kBad + kBad + kBad);  // above U+10FFFF
  CHECK(valid("\xF0\x9F\x98\xF0\x9F\x98\x80") == kBad + "😀");
  CHECK(valid("\xFF\xFE") == kBad + kBad);
}

TEST_CASE("every code point survives being written and read, and every surrogate is refused") {
  for (char32_t c = 0; c <= 0x10FFFF; c = c < 0xFFFF ? c + 1 : c + 257) {
    std::string text;
    append_utf8(c, text);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    REQUIRE(is_utf8(text) != surrogate);
    if (surrogate) continue;
    REQUIRE(first_code_point(text) == c);
    REQUIRE(last_code_point("x" + text) == c);
    REQUIRE(utf8_length(text[0]) == text.size());
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const Utf8Sequence part = next_utf8(std::string_view(text).substr(0, cut));
      REQUIRE(part.kind == Utf8Kind::unfinished);
      REQUIRE(part.bytes == cut);
    }
  }
}

TEST_CASE("normalisation composes, decomposes, orders marks and folds compatibility characters") {
  using enum NormalizationForm;
  CHECK(normalize("e\u0301", nfc) == "é");
  CHECK(normalize("é", nfd) == "e\u0301");
  CHECK(normalize("a\u0301\u0323", nfd) == "a\u0323\u0301");
  CHECK(normalize("a\u0301\u0323", nfc) == "ạ\u0301");
  CHECK(normalize("\u1112\u1161\u11ab", nfc) == "한");
  CHECK(normalize("ﬁ²", nfc) == "ﬁ²");
  CHECK(normalize("ﬁ²", nfkc) == "fi2");
  CHECK(normalize("Å", nfkd) == "A\u030a");  // the Angstrom sign
  CHECK(normalize("", nfc) == "");
}

TEST_CASE("a long run of marks in the wrong order does not take quadratic time") {
  std::string marks = "a";
  for (int i = 0; i < 50000; ++i) marks += "\u0301\u0323";
  const double start = cpu_seconds();
  const std::string ordered = normalize(marks, NormalizationForm::nfd);
  // Quadratic: 100,000^2 / 4 swaps, over ten seconds. This takes milliseconds.
  CHECK(cpu_seconds() - start < 3);
  CHECK(ordered.substr(0, 5) == "a\u0323\u0323");
  CHECK(ordered.size() == marks.size());
}

TEST_CASE("white space is the property White_Space: no U+180E, no U+200B, but U+0085") {
  for (char32_t c : {0x9, 0xA, 0xD, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x202F, 0x205F, 0x3000}) {
    CHECK(is_white_space(c));
  }
  for (char32_t c : {0x8, 0xE, 0x1C, 0x180E, 0x200B, 0x2060, 0xFEFF, 0x61}) CHECK_FALSE(is_white_space(c));
}

TEST_CASE("words are made of letters, marks, decimal digits, connectors and joiners") {
  for (char32_t c : {U'a', U'é', U'你', U'\u0301', U'7', U'٣', U'_', U'‿', U'Ⅷ', U'ⓐ', U'\u200d'}) CHECK(is_word(c));
  for (char32_t c : {U' ', U'-', U'²', U'$', U'。', U'🙂', U'\u200b'}) CHECK_FALSE(is_word(c));
}

TEST_CASE("the tables are those of Unicode 16") {
  CHECK(is_word(0x10D4A));                                                           // a letter of Garay
  CHECK(normalize("\U000105D2\U00000307", NormalizationForm::nfc) == "\U000105C9");  // Todhri
}
