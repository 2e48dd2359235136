// Every string, id sequence and conversation of the fixtures, exactly.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "text/chat.hpp"
#include "text/utf8_stream.hpp"
#include "unit/text/fixture.hpp"

using namespace fathom::test;
using namespace fathom::text;
using fathom::io::Value;

namespace {

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip_special) {
  std::string text;
  Utf8Stream stream(tokenizer, skip_special);
  for (TokenId id : ids) stream.push(id, text);
  stream.finish(text);
  return text;
}

// What add_special should give: the file's own post-processor, and the begin token where only the config asks for it.
std::vector<TokenId> with_special(const Tokenizer& tokenizer, const std::string& name, const Value& golden) {
  std::vector<TokenId> ids = token_ids(golden["ids_special"]);
  const bool by_template =
      tokenizer_document(name, "tokenizer.json")["post_processor"]["type"].as_string() == "TemplateProcessing";
  if (tokenizer.adds_bos() && !by_template) ids.insert(ids.begin(), tokenizer.bos().value());
  return ids;
}

bool has_tools(const Value& golden) {
  if (!golden["tools"].is_null()) return true;
  for (const Value& message : golden["messages"].array()) {
    if (message.has("tool_calls") || message["role"].as_string() == "tool") return true;
  }
  return false;
}

std::vector<Message> messages_of(const Value& golden) {
  std::vector<Message> messages;
  for (const Value& message : golden["messages"].array()) {
    const std::string role = text_of(message["role"]);
    messages.push_back({role == "system" ? Role::system
                        : role == "user" ? Role::user
                                         : Role::assistant,
                        text_of(message["content"])});
  }
  return messages;
}

ChatOptions options_of(const Value& golden) {
  ChatOptions options;
  options.add_generation_prompt = golden["kwargs"]["add_generation_prompt"].as_bool().value_or(false);
  options.thinking = golden["kwargs"]["enable_thinking"].as_bool().value_or(true);  // as the template has it
  return options;
}

}  // namespace

TEST_CASE("every string of the fixtures becomes the published ids, and these the published text") {
  for (const std::string name : kTokenizerNames) {
    CAPTURE(name);
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    const auto& cases = tokenizer_document(name, "strings.json")["cases"].array();
    REQUIRE(cases.size() > 200);
    for (const Value& golden : cases) {
      CAPTURE(golden["id"].as_int().value());
      const std::string text = text_of(golden["text"]);
      CAPTURE(text);
      const auto ids = token_ids(golden["ids"]);
      CHECK(tokenizer.encode(text, {.parse_special = true}) == ids);
      CHECK(tokenizer.encode(text, {.parse_special = true, .add_special = true}) == with_special(tokenizer, name, golden));
      CHECK(tokenizer.decode(ids) == text_of(golden["decoded"]));
      CHECK(tokenizer.decode(ids, true) == text_of(golden["decoded_skip_special"]));
    }
  }
}

TEST_CASE("id sequences that no text gives decode as published, at once and token by token") {
  for (const std::string name : kTokenizerNames) {
    CAPTURE(name);
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    const auto& cases = tokenizer_document(name, "decode.json")["cases"].array();
    REQUIRE(cases.size() == 40);
    for (const Value& golden : cases) {
      CAPTURE(golden["id"].as_int().value());
      const auto ids = token_ids(golden["ids"]);
      CHECK(tokenizer.decode(ids) == text_of(golden["decoded"]));
      CHECK(tokenizer.decode(ids, true) == text_of(golden["decoded_skip_special"]));
      CHECK(streamed(tokenizer, ids, false) == text_of(golden["decoded"]));
    }
  }
}

TEST_CASE("conversations without tools render as the checkpoints' own templates do, and to the same ids") {
  int covered = 0;
  for (const std::string name : {"deepseek-v3", "qwen3"}) {
    CAPTURE(name);
    const Tokenizer& tokenizer = tokenizer_fixture(name);
    const ChatFormat format = detect_chat_format(tokenizer);
    CHECK(chat_format_name(format) == (name == "qwen3" ? "chatml" : "deepseek-v3"));
    for (const Value& golden : tokenizer_document(name, "chat.json")["cases"].array()) {
      if (has_tools(golden)) continue;
      ++covered;
      const std::string what = text_of(golden["name"]);
      CAPTURE(what);
      const auto messages = messages_of(golden);
      const std::string rendered = text_of(golden["rendered"]);
      CHECK(render_chat(format, tokenizer, messages, options_of(golden)) == rendered);
      CHECK(tokenizer.encode(rendered, {.parse_special = true}) == token_ids(golden["ids"]));
      const auto ids = encode_chat(format, tokenizer, messages, options_of(golden));
      // A marker typed by the user is the one thing in which the published ids are not wanted.
      CHECK((ids == token_ids(golden["ids"])) == (what != "markup-in-content"));
    }
  }
  CHECK(covered == 20 + 20);
}
