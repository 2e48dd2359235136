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

TEST_CASE("Kimi K2 keeps Han characters apart, and only those") {
  CHECK(known("kimi-k2", "漢字Kanji、かな don't 1234 HelloWorld") ==
        Strings{"漢字", "Kanji", "、かな", " don't", " ", "123", "4", " Hello", "World"});
  CHECK(known("kimi-k2", "x々〇「木」\n\n  y") == Strings{"x", "々〇", "「", "木", "」\n\n", " ", " y"});
  CHECK(known("kimi-k2", "HTMLテスト한국어 'LL") == Strings{"HTMLテスト한국어", " '", "LL"});
}

TEST_CASE("Qwen3.5 counts marks as letters") {
  CHECK(known("qwen35", "नमस्ते दुनिया 12") == Strings{"नमस्ते", " दुनिया", " ", "1", "2"});
  CHECK(known("qwen2", "नमस्ते").size() > 1);
  CHECK(known("qwen35", "e\u0301t !\u0301?") == Strings{"e\u0301t", " !", "\u0301", "?"});
}

TEST_CASE("Youtu keeps Korean, Bopomofo, Chinese with kana, and full-width punctuation apart") {
  CHECK(known("youtu", "a한국ㄅ漢かa12") == Strings{"a", "한국", "ㄅ", "漢か", "a", "1", "2"});
  CHECK(known("youtu", "你好，世界！It's") == Strings{"你好", "，", "世界", "！", "It's"});
}

TEST_CASE("Falcon cuts digits by three and punctuation off") {
  CHECK(known("falcon", "a`b 1234567, x") == Strings{"a", "`", "b", " ", "123", "456", "7", ",", " x"});
}

TEST_CASE("a name that is another one's alias means the same") {
  struct Alias {
    std::string_view name, same_as;
  };
  const Alias aliases[] = {
      {"llama3", "llama-bpe"},
      {"llama-v3", "llama-bpe"},
      {"falcon3", "llama-bpe"},
      {"falcon-h1", "llama-bpe"},
      {"pixtral", "llama-bpe"},
      {"midm-2.0", "llama-bpe"},
      {"lfm2", "llama-bpe"},
      {"llama4", "gpt-4o"},
      {"kanana2", "gpt-4o"},
      {"megrez", "qwen2"},
      {"kormo", "qwen2"},
      {"gigachat", "gpt-2"},
      {"glm5", "glm4"},
      {"starcoder", "smollm"},
      {"refact", "smollm"},
      {"joyai-llm", "deepseek-v3"},
      {"dbrx", "smaug-bpe"},
      {"default", "gpt-2"},
      {"deepseek-r1-qwen", "qwen2"},
  };
  for (const auto& [name, same_as] : aliases) {
    CAPTURE(name);
    const KnownPreTokenizer& alias = known_pre_tokenizer(name, "test");
    const KnownPreTokenizer& known = known_pre_tokenizer(same_as, "test");
    CHECK(alias.patterns.data() == known.patterns.data());
    CHECK(alias.nfc == known.nfc);
    CHECK(alias.ignore_merges == known.ignore_merges);
    CHECK(alias.adds_bos == known.adds_bos);
  }
  // Llama 3's pattern, but merges count.
  for (const char* name : {"smaug-bpe", "dbrx", "chatglm-bpe"}) {
    CHECK(known_pre_tokenizer(name, "test").patterns.data() == known_pre_tokenizer("llama-bpe", "test").patterns.data());
    CHECK_FALSE(known_pre_tokenizer(name, "test").ignore_merges);
  }
  CHECK_FALSE(known_pre_tokenizer("qwen35", "test").nfc);  // unlike qwen2
  CHECK(known_pre_tokenizer("glm4", "test").ignore_merges);
  CHECK_FALSE(known_pre_tokenizer("glm4", "test").adds_bos);
}

TEST_CASE("an unknown name is refused with the names there are") {
  test::check_error(Status::unsupported, {"some.gguf", "'a-newer-one'", "deepseek-v3", "smollm"},
                    [] { known_pre_tokenizer("a-newer-one", "some.gguf"); });
}
