// Expected matches are those of Oniguruma 6.9, which the files' own library uses.
#include "text/regex.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/check_error.hpp"
#include "text/regex_dialect.hpp"
#include "unit/text/fixture.hpp"

using namespace fathom;
using namespace fathom::text;
using fathom::test::check_error;
using fathom::test::cpu_seconds;

namespace {

using Strings = std::vector<std::string>;

Strings matches(std::string_view pattern, std::string_view text) {
  const Regex regex(pattern, "test");
  RegexScratch scratch;
  std::vector<Regex::Match> found;
  regex.find_all(text, scratch, found);
  Strings strings;
  for (const auto& match : found) strings.emplace_back(text.substr(match.begin, match.end - match.begin));
  return strings;
}

}  // namespace

TEST_CASE("the first alternative that matches wins, and a lookahead gives a character back") {
  CHECK(matches("a|ab", "ab") == Strings{"a"});
  CHECK(matches(R"(\s+(?!\S)|\s+)", "a   b ") == Strings{"  ", " ", " "});
  CHECK(matches(R"(\p{N}{1,3})", "1234567") == Strings{"123", "456", "7"});
  CHECK(matches(R"((?i:'s|'t))", "'s'T'ſ's") == Strings{"'s", "'T", "'ſ", "'s"});
}

TEST_CASE("\\s is White_Space, in and out of classes, and \\S the rest") {
  CHECK(matches(R"(\s)", "a\u180eb\u0085c\u200bd\u3000") == Strings{"\u0085", "\u3000"});
  CHECK(matches(R"([\sx]+)", "\u180ex \u2028") == Strings{"x \u2028"});
  CHECK(matches(R"([^\s]+)", "a\u180eb\u0085c") == Strings{"a\u180eb", "c"});
  CHECK(matches(R"([\S]+)", "a\u180eb\u0085c") == Strings{"a\u180eb", "c"});
  CHECK(matches(R"(\S+)", "a\u180eb\u0085c") == Strings{"a\u180eb", "c"});
}

TEST_CASE("letters, digits and words are those of all scripts") {
  CHECK(matches(R"(\w+)", "a_1٣b²Ⅷⓐ-‿é") == Strings{"a_1٣b²Ⅷⓐ", "‿é"});
  CHECK(matches(R"(\d+)", "a12٣b²") == Strings{"12٣"});
  CHECK(matches(R"([\d]\D)", "1a٣b") == Strings{"1a", "٣b"});
  CHECK(matches(R"(\h+)", "fG9z") == Strings{"f", "9"});
  CHECK(matches(R"(\v)", "\x0b\n") == Strings{"\x0b"});
  CHECK(matches(R"(\u4E00|[\u00e9])", "一é二") == Strings{"一", "é"});
  CHECK(matches(R"(\p{Han}+|[\p{Hiragana}x]+)", "漢、字ー々かーx") == Strings{"漢", "字", "々", "か", "x"});  // a script alone
  CHECK(matches(R"(\P{Han}+|\p{^Latin})", "漢aー") == Strings{"漢", "aー"});
  CHECK(matches(R"([[:punct:]]+)", "a+、€b") == Strings{"+、€"});
}

TEST_CASE("repeated intervals are not possessive, and an interval may leave out its start") {
  CHECK(matches("a{1,2}+", "aaaaab") == Strings{"aaaaa"});
  CHECK(matches("a{1,2}+a", "aaab") == Strings{"aaa"});
  CHECK(matches("(?:ab){2}+", "ababababx") == Strings{"abababab"});
  CHECK(matches("[ab]{2}+", "abaab") == Strings{"abaa"});
  CHECK(matches("xa{,2}", "xaaa") == Strings{"xaa"});
  CHECK(matches("a++b", "aab") == Strings{"aab"});
  CHECK(matches("a{x}", "a{x}") == Strings{"a{x}"});
}

TEST_CASE("anchors are about lines") {
  CHECK(matches("^a", "a\na") == Strings{"a", "a"});
  CHECK(matches("a$", "a\na") == Strings{"a", "a"});
  CHECK(matches(R"(\s+$)", "a \nb  ") == Strings{" ", "  "});
  CHECK(matches(R"(\s+$)", "  \n\nx ") == Strings{"  \n", " "});
}

TEST_CASE("an empty match is found once at its place") {
  CHECK(matches("x*", "axxb") == Strings{"", "xx", ""});
  CHECK(matches("x*", "") == Strings{""});
  CHECK(matches("(?=é)", "aéé") == Strings{"", ""});
}

TEST_CASE("a literal is escaped so that it matches itself alone") {
  const std::string literal = "a.b*[c]\\ \n(é)$^{1}|?+-#\t\"";
  CHECK(matches(escape_regex(literal), "x" + literal + "aab") == Strings{literal});
}

TEST_CASE("what is no pattern, or means something else here, is refused by name") {
  for (const char* pattern : {"(", "[a", "a{2,1}", "*a", "\\p{Nonsense}", "\xff", "a\\", "\\C"}) {
    CAPTURE(pattern);
    check_error(Status::corrupt_file, {"place", "does not compile"}, [&] { Regex(pattern, "place"); });
  }
  for (const char* pattern : {"[\\p{L}&&[^\\p{Han}]]", "[a[b]]", "(*NO_JIT)a", "[\\W]", "\\Qa\\E", "\\u12", "[[:^alpha:]]"}) {
    CAPTURE(pattern);
    check_error(Status::unsupported, {"place", "does not match"}, [&] { Regex(pattern, "place"); });
  }
  check_error(Status::unsupported, {"place", "65537"}, [] { Regex(std::string(65537, 'a'), "place"); });
}

TEST_CASE("a pattern that backtracks without end gives up with an error") {
  const std::string text(100, 'a');
  for (const char* pattern : {"(a+)+b", "(a|aa)+$b", "(?:a*)*b", "(a*)*\\1b"}) {
    CAPTURE(pattern);
    const double start = cpu_seconds();
    try {
      CHECK(matches(pattern, text).empty());  // the engine may see at once that there is no b
    } catch (const Error& error) {
      CHECK(error.status() == Status::unsupported);
      CHECK(error.message().find("gave up") != std::string::npos);
    }
    CHECK(cpu_seconds() - start < 20);
  }
  check_error(Status::unsupported, {"test", "gave up", "100 bytes"}, [&] { matches("(a|aa)+[bc]", text); });
}

TEST_CASE("recursion without end gives up with an error, not with the stack") {
  check_error(Status::unsupported, {"gave up"}, [] { matches("(a(?1)?b|a(?1))+c", std::string(200000, 'a') + "dc"); });
}

TEST_CASE("groups over a long text do not run out of the just-in-time compiler's stack") {
  const std::string text(200000, 'a');
  CHECK(matches("(?:a|b)+", text) == Strings{text});
}

TEST_CASE("white space at the end is looked for in linear time") {
  const double start = cpu_seconds();
  CHECK(matches(R"(\s+$)", std::string(200000, ' ') + "1").empty());
  // Quadratic would be 2e10 steps.
  CHECK(cpu_seconds() - start < 3);
}

TEST_CASE("letters and symbols are those of Unicode 16") {
  CHECK(matches(R"(\p{S})", "\U0001FA77\U0001FAE9") == Strings{"\U0001FA77", "\U0001FAE9"});  // emoji of Unicode 15 and 16
  CHECK(matches(R"(\p{L}+)", "\U00031350\U0002EBF0\U00010D4A") == Strings{"\U00031350\U0002EBF0\U00010D4A"});  // 15, 15.1, 16
}
