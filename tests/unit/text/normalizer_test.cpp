#include "text/normalizer.hpp"

#include <doctest/doctest.h>

using namespace fathom::text;

namespace {

std::string apply(NormalizerStep step, std::string_view text) {
  Normalizer normalizer;
  normalizer.add(std::move(step));
  RegexScratch scratch;
  return normalizer.apply(text, scratch);
}

}  // namespace

TEST_CASE("a prefix goes before a text, but not before nothing") {
  CHECK(apply(Prepend{"▁"}, "a") == "▁a");
  CHECK(apply(Prepend{"▁"}, "") == "");
}

TEST_CASE("every occurrence of a text is replaced, from the left and without overlap") {
  CHECK(apply(ReplaceLiteral{" ", "▁"}, " a  b") == "▁a▁▁b");
  CHECK(apply(ReplaceLiteral{"aa", "b"}, "aaaaa") == "bba");
  CHECK(apply(ReplaceLiteral{"x", "xx"}, "x") == "xx");
  CHECK(apply(ReplaceLiteral{"x", ""}, "") == "");
}

TEST_CASE("matches of a pattern are replaced by a text as it stands") {
  CHECK(apply(ReplaceRegex{Regex(R"(\s+)", "test"), "$0"}, "a \n b c") == "a$0b$0c");
}

TEST_CASE("white space is stripped from the sides asked for") {
  CHECK(apply(StripSpace{true, true}, "\u3000 a b\u00a0\n") == "a b");
  CHECK(apply(StripSpace{true, false}, " a ") == "a ");
  CHECK(apply(StripSpace{false, true}, " a ") == " a");
  CHECK(apply(StripSpace{true, true}, " \u3000") == "");
}

TEST_CASE("steps run one after another") {
  Normalizer normalizer;
  CHECK(normalizer.empty());
  normalizer.add(Prepend{" "});
  normalizer.add(ReplaceLiteral{" ", "▁"});
  normalizer.add(UnicodeForm{NormalizationForm::nfc});
  RegexScratch scratch;
  CHECK(normalizer.apply("e\u0301 b", scratch) == "▁é▁b");
}
