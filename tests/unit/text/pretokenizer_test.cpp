#include "text/pretokenizer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/check_error.hpp"
#include "text/known_patterns.hpp"

using namespace fathom;
using namespace fathom::text;

namespace {

using Strings = std::vector<std::string>;

Strings pieces(const PreTokenizer& pre_tokenizer, std::string_view text, bool at_text_start = true) {
  Pieces pieces;
  pre_tokenizer.split(text, at_text_start, pieces);
  return Strings(pieces.spans.begin(), pieces.spans.end());
}

Strings split(std::string_view pattern, SplitBehavior behavior, bool invert, std::string_view text) {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(split_step(Regex(pattern, "test"), behavior, invert));
  return pieces(pre_tokenizer, text);
}

Strings metaspace(Prefix prefix, bool splits, std::string_view text, bool at_text_start = true) {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(metaspace_step("▁", prefix, splits, "test"));
  return pieces(pre_tokenizer, text, at_text_start);
}

Strings known(std::string_view name, std::string_view text) {
  PreTokenizer pre_tokenizer;
  for (std::string_view pattern : known_pre_tokenizer(name, "test").patterns) {
    pre_tokenizer.add(split_step(Regex(pattern, "test"), SplitBehavior::isolated, false));
  }
  return pieces(pre_tokenizer, text);
}

}  // namespace

TEST_CASE("matches are kept, dropped or joined as the behavior says, and inverted too") {
  using enum SplitBehavior;
  const char* text = "--a-b--c-";
  CHECK(split("-", isolated, false, text) == Strings{"-", "-", "a", "-", "b", "-", "-", "c", "-"});
  CHECK(split("-", removed, false, text) == Strings{"a", "b", "c"});
  CHECK(split("-", removed, true, text) == Strings{"-", "-", "-", "-", "-", "-"});
  CHECK(split("-", merged_with_previous, false, text) == Strings{"-", "-", "a-", "b-", "-", "c-"});
  CHECK(split("-", merged_with_previous, true, text) == Strings{"-", "-a", "-b", "-", "-c", "-"});
  CHECK(split("-", merged_with_next, false, text) == Strings{"-", "-a", "-b", "-", "-c", "-"});
  CHECK(split("-", merged_with_next, true, text) == Strings{"-", "-", "a-", "b-", "-", "c-"});
  CHECK(split("-", contiguous, false, text) == Strings{"--", "a", "-", "b", "--", "c", "-"});
}

TEST_CASE("nothing gives no pieces, and no match gives the whole") {
  for (auto behavior : {SplitBehavior::isolated, SplitBehavior::merged_with_next, SplitBehavior::contiguous}) {
    CHECK(split("x", behavior, false, "") == Strings{});
    CHECK(split("x", behavior, false, "a") == Strings{"a"});
  }
  CHECK(split("x", SplitBehavior::removed, false, "xx") == Strings{});
  CHECK(pieces(PreTokenizer{}, "a b") == Strings{"a b"});
}

TEST_CASE("each step sees the pieces of the one before, not the text around them") {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(split_step(Regex("b", "test"), SplitBehavior::isolated, false));
  pre_tokenizer.add(split_step(Regex(R"(a\b|^c)", "test"), SplitBehavior::isolated, false));
  CHECK(pieces(pre_tokenizer, "aabcc") == Strings{"a", "a", "b", "c", "c"});
}

TEST_CASE("a space is put before each piece without one") {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(split_step(Regex("b", "test"), SplitBehavior::isolated, false));
  pre_tokenizer.add(prefix_space_step());
  CHECK(pieces(pre_tokenizer, "ab c") == Strings{" a", " b", " c"});
}

TEST_CASE("spaces become the replacement, which is put in front always, never or at the text's start") {
  CHECK(metaspace(Prefix::always, true, "a b  c") == Strings{"▁a", "▁b", "▁", "▁c"});
  CHECK(metaspace(Prefix::never, true, "a b") == Strings{"a", "▁b"});
  CHECK(metaspace(Prefix::always, false, "a b") == Strings{"▁a▁b"});
  CHECK(metaspace(Prefix::always, false, " a") == Strings{"▁a"});
  CHECK(metaspace(Prefix::first, false, "a") == Strings{"▁a"});
  CHECK(metaspace(Prefix::first, false, "a", false) == Strings{"a"});
}

TEST_CASE("words are cut off before the first space symbol of a run") {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(word_step("▁"));
  CHECK(pieces(pre_tokenizer, "▁a▁▁b▁") == Strings{"▁a", "▁▁b", "▁"});
  CHECK(pieces(pre_tokenizer, "a") == Strings{"a"});
  CHECK(pieces(pre_tokenizer, "▁▁▁") == Strings{"▁▁▁"});
  CHECK(pieces(pre_tokenizer, "a▁b") == Strings{"a", "▁b"});
}

TEST_CASE("the named pre-tokenizers cut as their models' own files do") {
  CHECK(known("gpt-2", "I'm 12  x!\n\n") == Strings{"I", "'m", " 12", " ", " x", "!", "\n\n"});
  CHECK(known("smollm", "a 123") == Strings{"a", " ", "1", "2", "3"});
  CHECK(known("llama-bpe", "I'LL 1234 foo_bar\r\n\n x") ==
        Strings{"I", "'LL", " ", "123", "4", " foo", "_bar", "\r\n\n", " x"});
  CHECK(known("qwen2", "x12 =\n") == Strings{"x", "1", "2", " =\n"});
  CHECK(known("gpt-4o", "camelCase's 12345/\n/") == Strings{"camel", "Case's", " ", "123", "45", "/\n/"});
  CHECK(known("tekken", "HTMLParser's 12") == Strings{"HTMLParser", "'s", " ", "1", "2"});
  CHECK(known("deepseek-v3", "a1234你好かな(x)") == Strings{"a", "123", "4", "你好かな", "(x", ")"});
  CHECK(known("joyai-llm", "a1234") == known("deepseek-v3", "a1234"));
  CHECK(known("deepseek-coder", "a 12\n 你好, b") == Strings{"a", " ", "1", "2", "\n", " ", "你好", ",", " b"});
  CHECK(known("deepseek-llm", "a café 12你好  ") == Strings{"a", " caf", "é", " ", "1", "2", "你好", "  "});
  // The letters of deepseek-llm are cased ones; others fall to later steps or to gaps.
  CHECK(known("deepseek-llm", " Ω א") == Strings{" Ω", " א"});
}

TEST_CASE("an unknown name is refused with the names there are") {
  test::check_error(Status::unsupported, {"some.gguf", "'falcon'", "deepseek-v3", "smollm"},
                    [] { known_pre_tokenizer("falcon", "some.gguf"); });
}
