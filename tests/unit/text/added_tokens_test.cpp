#include "text/added_tokens.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace fathom::text;

namespace {

// "(text)" for text between tokens, "[3:<s>]" for token 3, which took "<s>".
std::string split(const AddedTokens& tokens, std::string_view text, Find which = Find::all) {
  std::vector<Stretch> stretches;
  tokens.split(text, which, stretches);
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

TEST_CASE("a control token can stay text, and nothing is looked for inside it") {
  const AddedTokens tokens =
      tokens_of({{.id = 1, .content = "<a b>", .control = true}, {.id = 2, .content = "a"}, {.id = 3, .content = " "}});
  CHECK(tokens.finds(Find::vocabulary));
  CHECK(split(tokens, "a<a b> <a") == "[2:a][1:<a b>][3: ](<)[2:a]");
  CHECK(split(tokens, "a<a b> <a", Find::vocabulary) == "[2:a](<a b>)[3: ](<)[2:a]");
  const AddedTokens control = tokens_of({{.id = 1, .content = "<a>", .control = true}});
  CHECK_FALSE(control.finds(Find::vocabulary));
  CHECK(control.finds(Find::all));
  CHECK(split(control, "x<a>", Find::vocabulary) == "(x<a>)");
  CHECK_FALSE(AddedTokens{}.finds(Find::all));
}

TEST_CASE("all contents that stand in a text are found, one inside another too") {
  const AddedTokens tokens = tokens_of({{1, "<a>"}, {2, "<a><b>"}, {3, "a"}, {4, "c"}});
  std::vector<bool> found(4, false);
  tokens.find_all("x<a><b", found);
  CHECK(found == std::vector<bool>{true, false, true, false});
  tokens.find_all("<a><b>", found);
  CHECK(found == std::vector<bool>{true, true, true, false});
}
