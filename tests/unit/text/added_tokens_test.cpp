#include "text/added_tokens.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace fathom::text;

namespace {

// "(text)" for text between tokens, "[3:<s>]" for token 3, which took "<s>".
std::string split(const AddedTokens& tokens, std::string_view text) {
  std::vector<Stretch> stretches;
  tokens.split(text, stretches);
  std::string shown;
  for (const Stretch& stretch : stretches) {
    if (stretch.token) {
      shown.append("[").append(std::to_string(*stretch.token)).append(":").append(stretch.text).append("]");
    } else {
      shown.append("(").append(stretch.text).append(")");
    }
  }
  return shown;
}

AddedTokens tokens_of(std::vector<AddedToken> list) {
  AddedTokens tokens;
  for (AddedToken& token : list) tokens.add(std::move(token));
  return tokens;
}

}  // namespace

TEST_CASE("the leftmost token is found, and the longest that starts there") {
  const AddedTokens tokens = tokens_of({{1, "<a>"}, {2, "<a><b>"}, {3, "a"}, {4, "<a><b><c>"}});
  CHECK(split(tokens, "") == "");
  CHECK(split(tokens, "x") == "(x)");
  CHECK(split(tokens, "<a>") == "[1:<a>]");
  CHECK(split(tokens, "x<a><b>y") == "(x)[2:<a><b>](y)");
  CHECK(split(tokens, "<a><b><c") == "[2:<a><b>](<c)");
  CHECK(split(tokens, "<<a>>") == "(<)[1:<a>](>)");
  CHECK(split(tokens, "aa") == "[3:a][3:a]");
  CHECK(split(AddedTokens{}, "<a>") == "(<a>)");
}

TEST_CASE("of two tokens with the same content the first counts") {
  CHECK(split(tokens_of({{1, "x"}, {2, "x"}}), "x") == "[1:x]");
}

TEST_CASE("a single word is one only without word characters beside it") {
  const AddedTokens tokens = tokens_of({{.id = 1, .content = "foo", .single_word = true}});
  CHECK(split(tokens, "foo") == "[1:foo]");
  CHECK(split(tokens, "a foo.") == "(a )[1:foo](.)");
  CHECK(split(tokens, "afoo foob _foo fooé") == "(afoo foob _foo fooé)");
  CHECK(split(tokens, "你foo") == "(你foo)");
  CHECK(split(tokens, "²foo²") == "(²)[1:foo](²)");
}

TEST_CASE("tokens that strip swallow white space, but not what another token has") {
  const AddedTokens tokens =
      tokens_of({{.id = 1, .content = "<l>", .lstrip = true}, {.id = 2, .content = "<r>", .rstrip = true}});
  CHECK(split(tokens, "a \u3000<l> b") == "(a)[1: \u3000<l>]( b)");
  CHECK(split(tokens, "a <r> \n b") == "(a )[2:<r> \n ](b)");
  CHECK(split(tokens, "<r>  <l>") == "[2:<r>  ][1:<l>]");
  CHECK(split(tokens, " <l>") == "[1: <l>]");
  CHECK(split(tokens, "é<l>") == "(é)[1:<l>]");
}
