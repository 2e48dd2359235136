#include "run/generated_text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace fathom;

namespace {

// Token i is the i-th of some byte strings.
class ListTokenizer final : public text::Tokenizer {
 public:
  explicit ListTokenizer(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

  std::vector<TokenId> encode(std::string_view, const text::EncodeOptions&) const override { return {}; }
  std::string decode(std::span<const TokenId> ids, bool) const override {
    std::string out;
    for (const TokenId id : ids) append_bytes(id, out);
    return out;
  }
  void append_bytes(TokenId id, std::string& out) const override { out += tokens_[std::size_t(id)]; }
  bool strips_leading_space() const noexcept override { return false; }
  bool replaces_each_byte() const noexcept override { return false; }
  std::int64_t vocab_size() const noexcept override { return std::int64_t(tokens_.size()); }
  bool is_special(TokenId) const noexcept override { return false; }
  std::optional<TokenId> find(std::string_view) const override { return {}; }
  std::optional<TokenId> bos() const noexcept override { return {}; }
  std::optional<TokenId> eos() const noexcept override { return {}; }
  std::span<const TokenId> stop_tokens() const noexcept override { return {}; }
  bool adds_bos() const noexcept override { return false; }
  std::string_view chat_template() const noexcept override { return {}; }

 private:
  std::vector<std::string> tokens_;
};

// Pushes tokens 0, 1, ... until a stop string is found or there are no more; text taken after each push, and at the end.
struct Generation {
  Generation(const std::vector<std::string>& tokens, std::vector<std::string> stops) {
    const ListTokenizer tokenizer(tokens);
    GeneratedText text(&tokenizer);
    text.set_stop_strings(std::move(stops));
    for (TokenId id = 0; id < TokenId(tokens.size()) && !stopped; ++id) {
      stopped = text.push(id);
      if (!stopped) pieces.push_back(text.take());
    }
    text.finish();
    pieces.push_back(text.take());
    for (const std::string& piece : pieces) whole += piece;
  }

  bool stopped = false;
  std::vector<std::string> pieces;
  std::string whole;
};

}  // namespace

TEST_CASE("without stop strings text comes as it is made") {
  const Generation g({"Hel", "lo ", "world"}, {});
  CHECK_FALSE(g.stopped);
  CHECK(g.pieces == std::vector<std::string>{"Hel", "lo ", "world", ""});
}

TEST_CASE("text ends before a stop string, inside one token or across several") {
  CHECK(Generation({"one STOP two"}, {"STOP"}).whole == "one ");
  const Generation across({"one S", "T", "OP two", "three"}, {"STOP"});
  CHECK(across.stopped);
  CHECK(across.whole == "one ");
  CHECK(Generation({"STOP"}, {"STOP"}).whole == "");
}

TEST_CASE("what could begin a stop string is held back until it is decided") {
  const Generation g({"ab", "S", "T", "x", "S"}, {"STOP"});
  CHECK_FALSE(g.stopped);
  CHECK(g.pieces == std::vector<std::string>{"ab", "", "", "STx", "", "S"});
  // The longest beginning counts: in "aab", "aaab" may still be under way.
  CHECK(Generation({"a", "a", "a", "a", "b"}, {"aaab"}).whole == "a");
}

TEST_CASE("the first of several stop strings ends the text") {
  CHECK(Generation({"one END two STOP"}, {"STOP", "END"}).whole == "one ");
  CHECK(Generation({"xy", "z"}, {"yz", "y"}).whole == "x");
  CHECK(Generation({"no end"}, {"STOP", "END"}).whole == "no end");
}

TEST_CASE("characters split over tokens come whole, and a broken one as a replacement at the end") {
  const Generation split({"gr\xc3", "\xbc\xc3\x9f", "e \xf0\x9f", "\x98", "\x80"}, {});
  CHECK(split.pieces == std::vector<std::string>{"gr", "\xc3\xbc\xc3\x9f", "e ", "", "\xf0\x9f\x98\x80", ""});
  CHECK(Generation({"a\xe2\x82"}, {}).whole == "a\xef\xbf\xbd");
  CHECK(Generation({"s\xc3", "\xbc", "\xc3\x9f!"}, {"\xc3\x9f"}).whole == "s\xc3\xbc");
}

TEST_CASE("a character that only began behind a stop string is no text") {
  CHECK(Generation({"one STOP\xe2\x82"}, {"STOP"}).whole == "one ");
}

TEST_CASE("text that was not taken outlives a stop, and is not searched again") {
  const ListTokenizer tokenizer({"one S", "TOP", "P!", "TOP"});
  GeneratedText text(&tokenizer);
  text.set_stop_strings({"TOP!"});
  CHECK_FALSE(text.push(0));
  CHECK_FALSE(text.push(1));
  text.finish();  // for another reason
  text.resume();
  // "...TOP" of before and "!" of now are not one stop string.
  CHECK_FALSE(text.push(2));
  CHECK_FALSE(text.push(3));
  CHECK(text.take() == "one STOPP!");
  text.finish();
  CHECK(text.take() == "TOP");
}

TEST_CASE("a stop string found leaves its text to be taken, also after generation went on") {
  const ListTokenizer tokenizer({"one STOP", "two"});
  GeneratedText text(&tokenizer);
  text.set_stop_strings({"STOP"});
  CHECK(text.push(0));
  text.finish();
  text.resume();
  CHECK_FALSE(text.push(1));
  CHECK(text.take() == "one two");
}

TEST_CASE("a reset forgets text, unfinished characters and what was held back") {
  const ListTokenizer tokenizer({"S\xc3", "\xbc", "x"});
  GeneratedText text(&tokenizer);
  text.set_stop_strings({"Sx"});
  text.push(0);
  text.reset();
  CHECK_FALSE(text.push(2));
  CHECK(text.take() == "x");
}

TEST_CASE("without a tokenizer there is no text and nothing stops") {
  GeneratedText text(nullptr);
  CHECK_FALSE(text.push(5));
  text.finish();
  CHECK(text.take().empty());
}
