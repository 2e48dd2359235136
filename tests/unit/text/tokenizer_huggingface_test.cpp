#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/check_error.hpp"
#include "text/tokenizer.hpp"
#include "unit/text/fixture.hpp"

using namespace fathom;
using namespace fathom::test;
using namespace fathom::text;

namespace {

using Ids = std::vector<TokenId>;

// The sections of a small byte-level tokenizer; a test replaces one of them.
struct Sections {
  std::string model = R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4}, "merges": ["a b", "Ġ ab"]})";
  std::string added_tokens = "[]";
  std::string normalizer = "null";
  std::string pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
  std::string post_processor = "null";
  std::string decoder = R"({"type": "ByteLevel"})";
  std::string config = "null";

  std::unique_ptr<Tokenizer> load() const {
    return tokenizer_of("{\"model\": " + model + ", \"added_tokens\": " + added_tokens + ", \"normalizer\": " + normalizer +
                            ", \"pre_tokenizer\": " + pre_tokenizer + ", \"post_processor\": " + post_processor +
                            ", \"decoder\": " + decoder + "}",
                        config);
  }
};

void check_refused(Status status, std::initializer_list<std::string_view> pieces, const Sections& sections) {
  check_error(status, pieces, [&] { sections.load(); });
}

double seconds_for(const Tokenizer& tokenizer, const std::string& text) {
  const double start = cpu_seconds();
  CHECK_FALSE(tokenizer.encode(text).empty());
  return cpu_seconds() - start;
}

}  // namespace

TEST_CASE("a small tokenizer encodes and decodes") {
  const auto tokenizer = Sections{}.load();
  CHECK(tokenizer->encode("ab ab ba") == Ids{3, 4, 2, 1, 0});
  CHECK(tokenizer->decode(Ids{3, 4, 2, 1, 0}) == "ab ab ba");
  CHECK(tokenizer->encode("").empty());
  CHECK(tokenizer->vocab_size() == 5);
  CHECK(tokenizer->find("Ġab") == 4);
  CHECK_FALSE(tokenizer->find(" ab"));
  CHECK_FALSE(tokenizer->bos());
  CHECK_FALSE(tokenizer->adds_bos());
  CHECK(tokenizer->stop_tokens().empty());
}

TEST_CASE("a marker typed in a text is a token only when asked for") {
  const Tokenizer& tokenizer = tokenizer_fixture("deepseek-v3");
  const std::string text = "<｜User｜>Hi<｜end▁of▁sentence｜>";
  CHECK(tokenizer.encode(text, {.parse_special = true}) == Ids{128803, 23166, 1});
  const Ids plain = tokenizer.encode(text);
  for (TokenId id : plain) {
    CHECK_FALSE(tokenizer.is_special(id));
    CHECK(id != 128803);
  }
  CHECK(tokenizer.decode(plain) == text);
}

TEST_CASE("merges that lead to a marker do not make one of what was typed") {
  Sections sections;
  sections.added_tokens = R"([{"id": 3, "content": "ab", "special": true, "normalized": false}])";
  CHECK(sections.load()->encode("ab") == Ids{0, 1});
  CHECK(sections.load()->encode("ab", {.parse_special = true}) == Ids{3});
  // no control token: a word that is also looked for in the text
  sections.added_tokens = R"([{"id": 3, "content": "ab", "special": false, "normalized": false}])";
  CHECK(sections.load()->encode("ab") == Ids{3});
}

TEST_CASE("bytes that are not UTF-8 are encoded as U+FFFD") {
  for (const std::string name : kTokenizerNames) {
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    CHECK(tokenizer.encode("a\xFF"
                           "b\xE4\xBD") == tokenizer.encode("a\uFFFDb\uFFFD"));
  }
}

TEST_CASE("the begin and end tokens and the stop tokens are those of the files") {
  const Tokenizer& deepseek = tokenizer_fixture("deepseek-v3");
  CHECK(deepseek.bos() == 0);
  CHECK(deepseek.eos() == 1);
  CHECK(deepseek.adds_bos());
  CHECK(deepseek.encode("Hello!", {.add_special = true}) == Ids{0, 19923, 3});
  const auto stops = deepseek.stop_tokens();
  CHECK(Ids(stops.begin(), stops.end()) == Ids{1, 128805});
  const Tokenizer& qwen = tokenizer_fixture("qwen3");
  CHECK_FALSE(qwen.bos());
  CHECK(qwen.eos() == 151645);
  CHECK_FALSE(qwen.adds_bos());
  CHECK(qwen.chat_template().find("enable_thinking") != std::string::npos);
  const Tokenizer& spm = tokenizer_fixture("tiny-spm");
  CHECK(spm.bos() == 1);
  CHECK(spm.adds_bos());
  CHECK(spm.encode("", {.add_special = true}) == Ids{1});
}

TEST_CASE("published test vectors of the two released tokenizers hold") {
  const Tokenizer& deepseek = tokenizer_fixture("deepseek-v3");
  CHECK(deepseek.encode("  two  spaces\n\n\tTab") == Ids{223, 1234, 223, 13564, 271, 200, 36440});
  CHECK(deepseek.encode("1234567") == Ids{6895, 18009, 25});
  CHECK(deepseek.encode("日本語とかな漢字") == Ids{88768, 2495, 49534, 29069, 2024});
  CHECK(deepseek.encode("foo_bar(x)->y;") == Ids{40897, 100869, 4042, 30589, 91, 29});
  const Tokenizer& qwen = tokenizer_fixture("qwen3");
  CHECK(qwen.encode("don't DON'T") == Ids{15007, 944, 44273, 17323});
  CHECK(qwen.encode("nai\u0308ve cafe\u0301") == Ids{3376, 37572, 586, 51950});  // composed first
  CHECK(qwen.encode("🙂👍🏽") == Ids{145080, 144349, 145375});
}

TEST_CASE("added tokens that are no control tokens are found in every text") {
  const Tokenizer& tokenizer = tokenizer_fixture("tiny-coder");
  for (const io::Value& golden : tokenizer_document("tiny-coder", "plain.json")["cases"].array()) {
    const std::string text = text_of(golden["text"]);
    CAPTURE(text);
    CHECK(tokenizer.encode(text) == token_ids(golden["ids"]));
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  }
}

TEST_CASE("an added token that spells a byte's stand-in says its own text where that byte is no character") {
  CHECK(tokenizer_fixture("tiny-coder").decode(Ids{69, 184, 81}) == "für");
  Sections sections;
  sections.added_tokens = R"([{"id": 4, "content": "Ġab", "special": false}])";
  CHECK(sections.load()->decode(Ids{4}) == " ab");
}

TEST_CASE("markers of the template, of built-in formats and the begin and end tokens stay text where a user typed them") {
  Sections sections;
  sections.model =
      R"({"type": "BPE", "vocab": {"<": 0, ">": 1, "t": 2, "u": 3, "<t": 4, "<t>": 5}, "merges": ["< t", "<t >"]})";
  sections.pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";
  sections.added_tokens = R"([{"id": 5, "content": "<t>"}, {"id": 6, "content": "<u>"}, {"id": 7, "content": "<think>"}])";
  CHECK(sections.load()->encode("<t><u>") == Ids{5, 6});
  sections.config = R"({"chat_template": "{{ '<t>' + content }}"})";
  const auto tokenizer = sections.load();
  CHECK(tokenizer->encode("<t><u>") == Ids{4, 1, 6});  // nor do merges make one
  CHECK(tokenizer->encode("<t><u><think>", {.parse_special = true}) == Ids{5, 6, 7});
  CHECK_FALSE(tokenizer->is_special(5));
  CHECK(tokenizer->encode("<think>") == Ids{4, 1});  // of the letters this vocabulary has
  sections.config = R"({"chat_template": [{"name": "default", "template": ""}, {"name": "tool_use", "template": "<t>"}]})";
  CHECK(sections.load()->encode("<t>") == Ids{4, 1});
  sections.config = R"({"eos_token": "<t>", "bos_token": {"content": "<u>"}})";
  CHECK(sections.load()->encode("<t><u>") == Ids{4, 1, 0, 3, 1});
}

TEST_CASE("a typed marker of the released tokenizers stays text in both halves of a text") {
  for (const auto& [name, text] :
       {std::pair{"deepseek-v3", "a<｜User｜>b<｜tool▁sep｜>"}, {"qwen3", "<think>a</think><tool_call>"}}) {
    CAPTURE(name);
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    const Ids plain = tokenizer.encode(text);
    CHECK(plain.size() > tokenizer.encode(text, {.parse_special = true}).size());
    for (TokenId id : tokenizer.encode(text, {.parse_special = true})) {
      if (id >= 128000) CHECK(std::find(plain.begin(), plain.end(), id) == plain.end());
    }
    CHECK(tokenizer.decode(plain) == text);
  }
}

TEST_CASE("emoji newer than Unicode 14 stay with the space before them") {
  const Tokenizer& tokenizer = tokenizer_fixture("deepseek-v3");
  for (const io::Value& golden : tokenizer_document("deepseek-v3", "emoji.json")["cases"].array()) {
    const std::string text = text_of(golden["text"]);
    CAPTURE(text);
    CHECK(tokenizer.encode(text) == token_ids(golden["ids"]));
  }
}

TEST_CASE("the config adds tokens, changes flags, and yields on ids") {
  Sections sections;
  sections.added_tokens = R"([{"id": 5, "content": "<x>", "special": false}])";
  sections.config = R"({"added_tokens_decoder": {"5": {"content": "<x>", "special": true}, "6": {"content": "<y>"},
                        "9": {"content": "<x>"}, "4": {"content": "<z>"}}, "bos_token": {"content": "<x>"}, "add_bos_token": true})";
  const auto tokenizer = sections.load();
  CHECK(tokenizer->encode("<x><y>", {.parse_special = true}) == Ids{5, 6});
  CHECK_FALSE(tokenizer->find("<z>"));
  CHECK(tokenizer->find("<x>") == 5);
  CHECK(tokenizer->vocab_size() == 7);
  CHECK(tokenizer->encode("a", {.add_special = true}) == Ids{5, 0});
  CHECK(tokenizer->is_special(5) == false);  // the last entry for a token counts
}

TEST_CASE("a template may put tokens on both sides, and add_eos_token one behind") {
  Sections sections;
  sections.added_tokens = R"([{"id": 5, "content": "<s>", "special": true}, {"id": 6, "content": "</s>", "special": true}])";
  sections.post_processor = R"({"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
    "special_tokens": {"<s>": {"ids": [5]}, "</s>": {"ids": [6, 6]}}}]})";
  CHECK(sections.load()->encode("a", {.add_special = true}) == Ids{5, 0, 6, 6});
  sections.config = R"({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true, "add_eos_token": true})";
  CHECK(sections.load()->encode("a", {.add_special = true}) == Ids{5, 0, 6, 6});
  sections.post_processor = "null";
  CHECK(sections.load()->encode("a", {.add_special = true}) == Ids{5, 0, 6});
  CHECK(sections.load()->encode("a") == Ids{0});
}

TEST_CASE("of several chat templates the default one is taken") {
  Sections sections;
  sections.config = R"({"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]})";
  CHECK(sections.load()->chat_template() == "d");
  sections.config = R"({"chat_template": [{"name": "rag", "template": "t"}]})";
  CHECK(sections.load()->chat_template() == "");
}

TEST_CASE("components that fathom does not have are refused by name") {
  const auto with = [](auto member, std::string text) {
    Sections sections;
    sections.*member = std::move(text);
    return sections;
  };
  using S = Sections;
  check_refused(Status::unsupported, {"model/tokenizer.json", "Unigram"},
                with(&S::model, R"({"type": "Unigram", "vocab": []})"));
  check_refused(Status::unsupported, {"model.type", "WordPiece"}, with(&S::model, R"({"type": "WordPiece", "vocab": {}})"));
  check_refused(Status::unsupported, {"end_of_word_suffix"},
                with(&S::model, R"({"end_of_word_suffix": "</w>", "vocab": {"a": 0}, "merges": []})"));
  check_refused(Status::unsupported, {"normalizer", "BertNormalizer"}, with(&S::normalizer, R"({"type": "BertNormalizer"})"));
  check_refused(Status::unsupported, {"normalizers[1]", "Precompiled"},
                with(&S::normalizer, R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Precompiled"}]})"));
  check_refused(Status::unsupported, {"pre_tokenizer", "UnicodeScripts"},
                with(&S::pre_tokenizer, R"({"type": "UnicodeScripts"})"));
  check_refused(Status::unsupported, {"pretokenizers[1]", "behind ByteLevel"},
                with(&S::pre_tokenizer,
                     R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "WhitespaceSplit"}]})"));
  check_refused(Status::unsupported, {"post_processor", "BertProcessing"},
                with(&S::post_processor, R"({"type": "BertProcessing"})"));
  check_refused(Status::unsupported, {"decoder", "WordPiece"}, with(&S::decoder, R"({"type": "WordPiece"})"));
  check_refused(Status::unsupported, {"decoder", "without"}, with(&S::decoder, "null"));
}

TEST_CASE("a file that contradicts itself or holds the wrong kind of value is refused with the place") {
  const auto with = [](auto member, std::string text) {
    Sections sections;
    sections.*member = std::move(text);
    return sections;
  };
  const auto refused = [&](std::initializer_list<std::string_view> pieces, auto member, std::string text) {
    CAPTURE(text);
    check_refused(Status::corrupt_file, pieces, with(member, std::move(text)));
  };
  using S = Sections;
  check_error(Status::corrupt_file, {"model/tokenizer.json", "object"}, [] { tokenizer_of("[]"); });
  refused({"model", "object"}, &S::model, "7");
  refused({"model.vocab", "object"}, &S::model, R"({"vocab": ["a"]})");
  refused({"model.vocab", "at least one"}, &S::model, R"({"vocab": {}, "merges": []})");
  refused({"vocab['a']", "16777216"}, &S::model, R"({"vocab": {"a": -1}, "merges": []})");
  refused({"vocab['a']"}, &S::model, R"({"vocab": {"a": 99999999999}, "merges": []})");
  refused({"vocab['a']"}, &S::model, R"({"vocab": {"a": "0"}, "merges": []})");
  refused({"vocab['a']"}, &S::model, R"({"vocab": {"a": 0.5}, "merges": []})");
  refused({"'a'", "'b'"}, &S::model, R"({"vocab": {"a": 0, "b": 0}, "merges": []})");
  refused({"token ids reach 16000000"}, &S::model, R"({"vocab": {"a": 0, "b": 16000000}, "merges": []})");
  refused({"model.merges", "array"}, &S::model, R"({"vocab": {"a": 0}})");
  refused({"merges[0]", "two tokens"}, &S::model, R"({"vocab": {"a": 0}, "merges": ["aa"]})");
  refused({"merges[0]", "two tokens"}, &S::model, R"({"vocab": {"a": 0}, "merges": [["a"]]})");
  refused({"merges[0]", "two tokens"}, &S::model, R"({"vocab": {"a": 0}, "merges": ["a "]})");
  refused({"merges[0]", "two tokens"}, &S::model, R"({"vocab": {"a": 0}, "merges": [7]})");
  refused({"merges[0]", "'z'"}, &S::model, R"({"vocab": {"a": 0, "az": 1}, "merges": ["a z"]})");
  refused({"merges[0]", "'aa'"}, &S::model, R"({"vocab": {"a": 0}, "merges": ["a a"]})");
  refused({"unk_token"}, &S::model, R"({"vocab": {"a": 0}, "merges": [], "unk_token": "z"})");
  refused({"byte_fallback", "true or false"}, &S::model, R"({"vocab": {"a": 0}, "merges": [], "byte_fallback": 1})");
  refused({"added_tokens", "array"}, &S::added_tokens, "{}");
  refused({"added_tokens[0].id"}, &S::added_tokens, R"([{"content": "x"}])");
  refused({"added_tokens[0].id", "16777216"}, &S::added_tokens, R"([{"id": 99999999, "content": "x"}])");
  refused({"added_tokens[0].content"}, &S::added_tokens, R"([{"id": 9, "content": ""}])");
  refused({"added_tokens[0]", "'a'", "'x'"}, &S::added_tokens, R"([{"id": 0, "content": "x"}])");
  refused({"added_tokens[0]", "two ids"}, &S::added_tokens, R"([{"id": 9, "content": "a"}])");
  refused({"normalizer.type"}, &S::normalizer, "{}");
  refused({"normalizers", "array"}, &S::normalizer, R"({"type": "Sequence"})");
  refused({"pattern.String"}, &S::normalizer, R"({"type": "Replace", "pattern": {"String": ""}, "content": "x"})");
  refused({"pre_tokenizer", "does not compile"}, &S::pre_tokenizer,
          R"({"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated"})");
  refused({"pattern.Regex"}, &S::pre_tokenizer, R"({"type": "Split", "pattern": {"Regex": 7}, "behavior": "Isolated"})");
  refused({"replacement"}, &S::pre_tokenizer, R"({"type": "Metaspace", "replacement": "ab"})");
  refused({"post_processor.single"}, &S::post_processor, R"({"type": "TemplateProcessing"})");
  refused({"single", "place for the text"}, &S::post_processor, R"({"type": "TemplateProcessing", "single": []})");
  refused({"single[0]"}, &S::post_processor, R"({"type": "TemplateProcessing", "single": ["A"]})");
  refused({"special_tokens.x.ids"}, &S::post_processor,
          R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {}}]})");
  refused({"ids[0]", "vocabulary"}, &S::post_processor,
          R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {}}],
              "special_tokens": {"x": {"ids": [77]}}})");
  refused({"added_tokens_decoder['x']", "key"}, &S::config, R"({"added_tokens_decoder": {"x": {"content": "y"}}})");
  refused({"tokenizer_config.json", "add_bos_token"}, &S::config, R"({"add_bos_token": "yes"})");
  refused({"tokenizer_config.json", "bos_token"}, &S::config, R"({"bos_token": 7})");
}

TEST_CASE("a pattern of the file that backtracks without end makes encoding fail, not hang or crash") {
  Sections sections;
  sections.pre_tokenizer = R"({"type": "Split", "pattern": {"Regex": "(a|aa)+[bc]"}, "behavior": "Isolated"})";
  sections.decoder = R"({"type": "Fuse"})";
  const auto tokenizer = sections.load();
  check_error(Status::unsupported, {"model/tokenizer.json", "gave up"}, [&] { tokenizer->encode(std::string(100, 'a')); });
}

TEST_CASE("long runs are encoded in about linear time") {
  std::string ideographs;
  for (int i = 0; i < 10000; ++i) ideographs += i % 3 == 0 ? "的" : i % 3 == 1 ? "龘" : "一";
  for (const std::string name : kTokenizerNames) {
    CAPTURE(name);
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    // Quadratic merging would take 1e10 steps; seconds leave room for sanitizers.
    CHECK(seconds_for(tokenizer, ideographs) < 2);
    CHECK(seconds_for(tokenizer, std::string(100000, ' ')) < 4);
    CHECK(seconds_for(tokenizer, std::string(100000, ' ') + "1") < 4);
    CHECK(seconds_for(tokenizer, std::string(100000, 'a')) < 4);
  }
}

TEST_CASE("a long text gives the ids of its parts, cached pieces included") {
  for (const std::string name : {"deepseek-v3", "qwen3", "tiny-coder"}) {
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    const std::string line = "The quick brown fox, foo_bar(x) 123 你好 jumps.\n";
    const Ids once = tokenizer.encode(line);
    std::string text;
    Ids expected;
    for (int i = 0; i < 500; ++i) {
      text += line;
      expected.insert(expected.end(), once.begin(), once.end());
    }
    CHECK(tokenizer.encode(text) == expected);
  }
}

TEST_CASE("one tokenizer serves several threads") {
  const Tokenizer& tokenizer = tokenizer_fixture("qwen3");
  const auto& cases = tokenizer_document("qwen3", "strings.json")["cases"].array();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (const io::Value& golden : cases) {
        wrong[t] += tokenizer.encode(*golden["text"].as_string(), {.parse_special = true}) != token_ids(golden["ids"]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}
