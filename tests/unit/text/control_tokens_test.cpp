#include "text/control_tokens.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace fathom::text;

namespace {

std::vector<std::string> control(const std::vector<std::string>& contents, std::vector<std::string_view> templates = {}) {
  std::vector<AddedToken> tokens;
  for (const std::string& content : contents) tokens.push_back({.id = TokenId(tokens.size()), .content = content});
  mark_control(tokens, templates);
  std::vector<std::string> marked;
  for (const AddedToken& token : tokens) {
    if (token.control) marked.push_back(token.content);
  }
  return marked;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("what a chat format, reasoning or a tool call uses is a control token, whatever the template") {
  const Strings markers = {"<｜User｜>",      "<｜Assistant｜>", "<｜tool▁sep｜>", "<|im_end|>",   "<|eot_id|>",
                           "<start_of_turn>", "<turn|>",         "[INST]",         "<think>",      "</think>",
                           "<tool_call>",     "｜DSML｜",        "<|\"|>",         "[TOOL_CALLS]", "<|EOT|>"};
  CHECK(control(markers) == markers);
}

TEST_CASE("letters, runs of spaces, HTML and code-completion tokens are vocabulary") {
  CHECK(control({"ü", "÷", "  ", "\n\n", "<table>", "<br>", "<|fim_prefix|>", "<｜fim▁hole｜>", "<pad>", "hello", "<|>"})
            .empty());
}

TEST_CASE("an added token that stands in a chat template is a control token") {
  CHECK(control({"<turn>", "<table>", "<user>"}, {"{{ '<turn>' + role }}", "{{ '<user>' }}"}) == Strings{"<turn>", "<user>"});
  // One inside another, and the same text twice.
  CHECK(control({"<a>", "<a><b>", "<a>"}, {"<a><b>"}) == Strings{"<a>", "<a><b>"});
  CHECK(control({"ASSISTANT:"}, {"USER: {{ content }} ASSISTANT:"}) == Strings{"ASSISTANT:"});
}

TEST_CASE("a letter and white space stand in a template by chance") {
  CHECK(control({"ü", "    ", "\n\n", "\u3000 "}, {"{% if für %}\n\n    \u3000 {% endif %}"}).empty());
}

TEST_CASE("a long token is no marker of a template") {
  const std::string length(200, 'x');
  CHECK(control({length}, {length}).empty());
}

TEST_CASE("a word that is a marker by its text is one, if no ordinary word has that text") {
  for (const char* marker :
       {"<|im_start|>", "<|custom_turn|>", "<｜User｜>", "<|fim_prefix|>", "<fim_prefix>", "<end_of_turn>"}) {
    CAPTURE(marker);
    CHECK(spelling_of_word(marker, false) == Spelling::marker);
  }
  CHECK(spelling_of_word("<think>", false) == Spelling::shown_marker);
  for (const char* word : {"<|>", "<||>", "<|->|>", "<| a |>", "<table>", "</s>", "[PAD]", "a", "", "|>", "▁the", "ü"}) {
    CAPTURE(word);
    CHECK(spelling_of_word(word, false) == Spelling::ordinary);
  }
}

TEST_CASE("the file's begin and end tokens are markers where they look like one") {
  CHECK(spelling_of_word("</s>", true) == Spelling::marker);
  CHECK(spelling_of_word("[EOS]", true) == Spelling::marker);
  CHECK(spelling_of_word(",", true) == Spelling::ordinary);
  CHECK(spelling_of_word("\n", true) == Spelling::ordinary);
  CHECK(spelling_of_word("<>", true) == Spelling::ordinary);
}
