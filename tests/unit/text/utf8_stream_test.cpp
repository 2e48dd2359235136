#include "text/utf8_stream.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/rng.hpp"
#include "text/unicode.hpp"
#include "unit/text/fixture.hpp"

using namespace fathom::test;
using namespace fathom::text;

namespace {

std::vector<std::string> pieces(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip_special = true) {
  std::vector<std::string> pieces;
  Utf8Stream stream(tokenizer, skip_special);
  for (TokenId id : ids) stream.push(id, pieces.emplace_back());
  stream.finish(pieces.emplace_back());
  return pieces;
}

TokenId token(const Tokenizer& tokenizer, std::string_view text) { return tokenizer.find(text).value(); }

}  // namespace

TEST_CASE("a character comes out with its last byte, and an unfinished one as U+FFFD at the end") {
  const Tokenizer& tokenizer = tokenizer_fixture("tiny-coder");
  const auto byte = [&](const char* symbol) { return token(tokenizer, symbol); };
  // U+00DF is C3 9F
  CHECK(pieces(tokenizer, {byte("a"), byte("Ã"), byte("Ł"), byte("b")}) == std::vector<std::string>{"a", "", "ß", "b", ""});
  CHECK(pieces(tokenizer, {byte("Ã")}) == std::vector<std::string>{"", "\uFFFD"});
  CHECK(pieces(tokenizer, {byte("Ã"), byte("a")}) == std::vector<std::string>{"", "\uFFFDa", ""});
  CHECK(pieces(tokenizer, {}) == std::vector<std::string>{""});
}

TEST_CASE("control tokens are shown or hidden, and ids outside the vocabulary say nothing") {
  const Tokenizer& tokenizer = tokenizer_fixture("qwen3");
  const TokenId end = token(tokenizer, "<|im_end|>"), think = token(tokenizer, "<think>");
  CHECK(pieces(tokenizer, {end, think, -1, 1 << 30}, false) == std::vector<std::string>{"<|im_end|>", "<think>", "", "", ""});
  CHECK(pieces(tokenizer, {end, think}, true) == std::vector<std::string>{"", "<think>", ""});
}

TEST_CASE("the leading space of a whole text is dropped once, and again after reset") {
  const Tokenizer& tokenizer = tokenizer_fixture("tiny-spm");
  const TokenId space = token(tokenizer, "▁");
  CHECK(pieces(tokenizer, {1, space, space, space}) == std::vector<std::string>{"", "", " ", " ", ""});
  Utf8Stream stream(tokenizer);
  std::string text;
  stream.push(space, text);
  stream.reset();
  stream.push(space, text);
  CHECK(text == "");
}

TEST_CASE("with byte fallback a run of bytes is good or bad as a whole, and waits for its end") {
  const Tokenizer& tokenizer = tokenizer_fixture("tiny-spm");
  const auto byte = [&](const char* name) { return token(tokenizer, name); };
  const std::vector<TokenId> ni = {byte("<0xE4>"), byte("<0xBD>"), byte("<0xA0>")};
  const TokenId bad = byte("<0xFF>"), letter = token(tokenizer, "a");
  CHECK(pieces(tokenizer, {ni[0], ni[1], ni[2], letter}) == std::vector<std::string>{"", "", "", "你a", ""});
  CHECK(tokenizer.decode(std::vector{ni[0], ni[1], ni[2], bad}) == "\uFFFD\uFFFD\uFFFD\uFFFD");
  CHECK(tokenizer.decode(std::vector{byte("<0x41>"), bad}) == "\uFFFD\uFFFD");
  CHECK(tokenizer.decode(std::vector{letter, bad}) == "a\uFFFD");
  CHECK(tokenizer.decode(std::vector{bad, letter, ni[0], ni[1], ni[2]}) == "\uFFFDa你");
  // A hidden token does not end a run; a shown one does.
  CHECK(tokenizer.decode(std::vector{ni[0], ni[1], TokenId(1), ni[2]}, true) == "你");
  CHECK(tokenizer.decode(std::vector{ni[0], ni[1], TokenId(1), ni[2]}, false) == "\uFFFD\uFFFD<s>\uFFFD");
  // Its first byte may be the space that the whole text loses.
  CHECK(tokenizer.decode(std::vector{byte("<0x20>"), byte("<0x41>")}) == "A");
}

TEST_CASE("every piece is UTF-8 by itself, whatever a model says") {
  fathom::Rng rng(3);
  for (const std::string name : kTokenizerNames) {
    CAPTURE(name);
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    for (int round = 0; round < 50; ++round) {
      std::vector<TokenId> ids;
      // Low ids are bytes, in all four.
      for (int i = 0; i < 100; ++i)
        ids.push_back(TokenId(rng.next() % (i % 3 == 0 ? std::uint64_t(tokenizer.vocab_size()) + 5 : 260)));
      std::string all;
      for (const std::string& piece : pieces(tokenizer, ids, round % 2 == 0)) {
        CHECK(is_utf8(piece));
        all += piece;
      }
      CHECK(all == tokenizer.decode(ids, round % 2 == 0));
    }
  }
}
