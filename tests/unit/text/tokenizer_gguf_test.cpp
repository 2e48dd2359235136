// The fixtures' vocabularies written as GGUF keys must give the same ids.
#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "support/check_error.hpp"
#include "text/tokenizer.hpp"
#include "unit/text/fixture.hpp"

using namespace fathom;
using namespace fathom::test;
using namespace fathom::text;
using fathom::io::Value;

namespace {

using Ids = std::vector<TokenId>;

struct Keys {
  Value::Object members;
  void set(std::string key, Value value) {
    std::erase_if(members, [&](const Value::Member& member) { return member.first == key; });
    members.emplace_back(std::move(key), std::move(value));
  }
  std::unique_ptr<Tokenizer> load() const { return Tokenizer::from_gguf(Value(members), "model.gguf"); }
};

Value integer(std::int64_t number) { return Value(number); }
Value string(std::string text) { return Value(std::move(text)); }
Value strings(const std::vector<std::string>& list) {
  Value::Array values;
  for (const std::string& text : list) values.push_back(string(text));
  return Value(std::move(values));
}
Value integers(const std::vector<std::int64_t>& list) {
  Value::Array values;
  for (std::int64_t number : list) values.push_back(integer(number));
  return Value(std::move(values));
}

std::pair<std::string, std::string> merge_of(const Value& merge) {
  if (merge.is_array()) return {text_of(merge.array()[0]), text_of(merge.array()[1])};
  const std::string line = text_of(merge);
  return {line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1)};
}

// As a converter writes it: holes are padding, bytes and control tokens have their types, and a model of the SentencePiece
// kind has scores instead of merges: minus the rank of the merge that makes a token.
Keys converted(const std::string& name, const std::string& model, const std::string& pre) {
  const Value& document = tokenizer_document(name, "tokenizer.json");
  std::vector<std::string> tokens(std::size_t(tokenizer_fixture(name).vocab_size()));
  std::vector<std::int64_t> types(tokens.size(), 5);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = "[PAD" + std::to_string(i) + "]";
  std::map<std::string, std::size_t> ids;
  for (const auto& [text, id] : document["model"]["vocab"].object()) {
    const auto at = std::size_t(id.as_int().value());
    tokens[at] = text;
    types[at] = model == "llama" && text.size() == 6 && text.starts_with("<0x") ? 6 : 1;
    ids[text] = at;
  }
  for (const Value& added : document["added_tokens"].array()) {
    const auto at = std::size_t(added["id"].as_int().value());
    tokens[at] = text_of(added["content"]);
    types[at] = tokens[at] == "<unk>" ? 2 : added["special"].as_bool().value() ? 3 : 4;
  }
  std::vector<std::string> merges;
  Value::Array scores(tokens.size(), Value(0.0));
  double rank = 0;
  for (const Value& merge : document["model"]["merges"].array()) {
    const auto [left, right] = merge_of(merge);
    merges.push_back(left + " " + right);
    scores[ids.at(left + right)] = Value(-++rank);
  }
  Keys keys;
  keys.set("tokenizer.ggml.model", string(model));
  keys.set("tokenizer.ggml.tokens", strings(tokens));
  keys.set("tokenizer.ggml.token_type", integers(types));
  if (model == "llama") {
    keys.set("tokenizer.ggml.scores", Value(std::move(scores)));
    keys.set("tokenizer.ggml.unknown_token_id", integer(0));
  } else {
    keys.set("tokenizer.ggml.pre", string(pre));
    keys.set("tokenizer.ggml.merges", strings(merges));
  }
  const Tokenizer& tokenizer = tokenizer_fixture(name);
  if (tokenizer.bos()) keys.set("tokenizer.ggml.bos_token_id", integer(*tokenizer.bos()));
  keys.set("tokenizer.ggml.eos_token_id", integer(*tokenizer.eos()));
  keys.set("tokenizer.ggml.add_bos_token", Value(tokenizer.adds_bos()));
  keys.set("tokenizer.chat_template", string(std::string(tokenizer.chat_template())));
  return keys;
}

Keys small(const std::string& model) {
  Keys keys;
  keys.set("tokenizer.ggml.model", string(model));
  keys.set("tokenizer.ggml.tokens", strings({"<s>", "a", "b", "ab", "▁", "<0x0A>", "[PAD6]", "<x>", "Ġ"}));
  keys.set("tokenizer.ggml.token_type", integers({3, 1, 1, 1, 1, 6, 5, 4, 1}));
  keys.set("tokenizer.ggml.merges", strings({"a b"}));
  keys.set("tokenizer.ggml.scores", Value(Value::Array(9, Value(-1.0))));
  keys.set("tokenizer.ggml.bos_token_id", integer(0));
  return keys;
}

}  // namespace

TEST_CASE("a vocabulary from GGUF keys gives the ids of the same one from tokenizer.json, and the same text") {
  struct Conversion {
    std::string name, model, pre;
  };
  const Conversion conversions[] = {{"deepseek-v3", "gpt2", "deepseek-v3"},
                                    {"qwen3", "gpt2", "qwen2"},
                                    {"tiny-coder", "gpt2", "deepseek-coder"},
                                    {"tiny-spm", "llama", ""}};
  for (const auto& [name, model, pre] : conversions) {
    CAPTURE(name);
    const Tokenizer& original = tokenizer_fixture(name);
    const auto tokenizer = converted(name, model, pre).load();
    CHECK(tokenizer->vocab_size() == original.vocab_size());
    CHECK(tokenizer->bos() == original.bos());
    CHECK(tokenizer->eos() == original.eos());
    CHECK(tokenizer->adds_bos() == original.adds_bos());
    CHECK(tokenizer->chat_template() == original.chat_template());
    CHECK(Ids(tokenizer->stop_tokens().begin(), tokenizer->stop_tokens().end()) ==
          Ids(original.stop_tokens().begin(), original.stop_tokens().end()));
    for (const Value& golden : tokenizer_document(name, "strings.json")["cases"].array()) {
      CAPTURE(golden["id"].as_int().value());
      const std::string text = text_of(golden["text"]);
      const Ids ids = token_ids(golden["ids"]);
      CHECK(tokenizer->encode(text, {.parse_special = true}) == ids);
      CHECK(tokenizer->encode(text) == original.encode(text));  // typed by a user
      CHECK(tokenizer->decode(ids) == text_of(golden["decoded"]));
      CHECK(tokenizer->decode(ids, true) == text_of(golden["decoded_skip_special"]));
    }
    for (const Value& golden : tokenizer_document(name, "plain.json")["cases"].array()) {
      CHECK(tokenizer->encode(text_of(golden["text"])) == token_ids(golden["ids"]));
    }
    for (const Value& golden : tokenizer_document(name, "decode.json")["cases"].array()) {
      CHECK(tokenizer->decode(token_ids(golden["ids"])) == text_of(golden["decoded"]));
    }
  }
}

TEST_CASE("a space goes before the text and behind every marker, unless the file says no") {
  Keys keys = small("llama");
  CHECK(keys.load()->encode("ab<x>a b", {.parse_special = true}) == Ids{4, 3, 7, 4, 1, 4, 2});
  CHECK(keys.load()->strips_leading_space());
  CHECK(keys.load()->encode("a", {.add_special = true}) == Ids{0, 4, 1});
  keys.set("tokenizer.ggml.add_space_prefix", Value(false));
  CHECK(keys.load()->encode("ab<x>a b", {.parse_special = true}) == Ids{3, 7, 1, 4, 2});
  CHECK_FALSE(keys.load()->strips_leading_space());
}

TEST_CASE("padding is never written nor read") {
  for (const char* model : {"llama", "gpt2"}) {
    const auto tokenizer = small(model).load();
    CHECK(tokenizer->vocab_size() == 9);
    CHECK(tokenizer->decode(Ids{6}) == "");
    CHECK_FALSE(tokenizer->find("[PAD6]"));
  }
}

TEST_CASE("control tokens are special, user-defined ones are only found in the text") {
  const auto tokenizer = small("gpt2").load();
  CHECK(tokenizer->is_special(0));
  CHECK_FALSE(tokenizer->is_special(7));
  CHECK_FALSE(tokenizer->is_special(1));
  CHECK(tokenizer->encode("<s><x>", {.parse_special = true}) == Ids{0, 7});
  CHECK(tokenizer->encode("<s><x>") == Ids{7});  // a control token stays text, and this vocabulary has none of its letters
  CHECK(tokenizer->decode(Ids{0, 7, 8, 1}, true) == "<x> a");
}

TEST_CASE("merges and scores that lead to a control token do not make one of what was typed") {
  for (const char* model : {"gpt2", "llama"}) {
    CAPTURE(model);
    Keys keys = small(model);
    keys.set("tokenizer.ggml.add_space_prefix", Value(false));
    CHECK(keys.load()->encode("ab") == Ids{3});
    keys.set("tokenizer.ggml.token_type", integers({3, 1, 1, 3, 1, 6, 5, 4, 1}));
    CHECK(keys.load()->encode("ab") == Ids{1, 2});
    CHECK(keys.load()->encode("ab", {.parse_special = true}) == Ids{3});
  }
}

TEST_CASE("end-of-turn tokens are stop tokens, by key and by name") {
  Keys keys = small("gpt2");
  keys.set("tokenizer.ggml.tokens", strings({"<s>", "a", "b", "ab", "<|im_end|>", "<|eot_id|>", "x", "y", "Ġ"}));
  keys.set("tokenizer.ggml.token_type", integers({3, 1, 1, 1, 3, 1, 1, 1, 1}));
  keys.set("tokenizer.ggml.eos_token_id", integer(6));
  keys.set("tokenizer.ggml.eot_token_id", integer(7));
  const auto tokenizer = keys.load();
  // <|eot_id|> is one, too, although this file calls it a word.
  CHECK(Ids(tokenizer->stop_tokens().begin(), tokenizer->stop_tokens().end()) == Ids{4, 5, 6, 7});
}

TEST_CASE("markers that a file calls words are control tokens") {
  for (const char* model : {"gpt2", "llama"}) {
    CAPTURE(model);
    Keys keys = small(model);
    keys.set("tokenizer.ggml.add_space_prefix", Value(false));
    keys.set("tokenizer.ggml.tokens", strings({"<s>", "<", "t", "<t", "<|im_end|>", "<think>", "[PAD6]", "<table>", "Ġ"}));
    keys.set("tokenizer.ggml.token_type", integers({1, 1, 1, 1, 1, 1, 4, 4, 1}));
    keys.set("tokenizer.ggml.merges", strings({"< t"}));
    const auto tokenizer = keys.load();
    const bool by_words = std::string(model) == "gpt2";  // the pre-tokenizer cuts < from t
    const std::string text = "<s><t<|im_end|><table><think>";
    CHECK(tokenizer->encode(text, {.parse_special = true}) == (by_words ? Ids{0, 1, 2, 4, 7, 5} : Ids{0, 3, 4, 7, 5}));
    // Only < and t of the others are letters that this vocabulary has.
    CHECK(tokenizer->encode(text) == (by_words ? Ids{1, 1, 2, 1, 7, 1, 2} : Ids{1, 3, 1, 7, 3}));
    CHECK(tokenizer->is_special(4));
    CHECK_FALSE(tokenizer->is_special(5));
    CHECK(tokenizer->decode(Ids{5, 3, 4}, true) == "<think><t");
    CHECK(Ids(tokenizer->stop_tokens().begin(), tokenizer->stop_tokens().end()) == Ids{4});
    CHECK(tokenizer->encode("[PAD6]", {.parse_special = true}) == Ids{});  // padding, whatever its type
    CHECK(tokenizer->decode(Ids{6}) == "");
  }
}

TEST_CASE("a token of the chat template stays text where a user typed it") {
  for (const char* key : {"tokenizer.chat_template", "tokenizer.chat_template.tool_use"}) {
    Keys keys = small("gpt2");
    CHECK(keys.load()->encode("a<x>b") == Ids{1, 7, 2});
    keys.set(key, string("{{ '<x>' + content }}"));
    CHECK(keys.load()->encode("a<x>b") == Ids{1, 2});
    CHECK(keys.load()->encode("a<x>b", {.parse_special = true}) == Ids{1, 7, 2});
  }
}

TEST_CASE("an end token that a file calls user-defined stays text where a user typed it") {
  Keys keys = small("gpt2");
  keys.set("tokenizer.ggml.eos_token_id", integer(7));
  CHECK(keys.load()->encode("a<x>b") == Ids{1, 2});
  CHECK(keys.load()->encode("a<x>b", {.parse_special = true}) == Ids{1, 7, 2});
}

TEST_CASE("Gemma 4 merges characters by rank, writes spaces as U+2581, and always begins with its begin token") {
  Keys keys;
  keys.set("tokenizer.ggml.model", string("gemma4"));
  keys.set("tokenizer.ggml.tokens", strings({"<unk>", "<bos>", "a", "b", "ab", "▁", "▁a", "\n", "\n\n", "<0xC3>", "<0xBC>"}));
  keys.set("tokenizer.ggml.token_type", integers({3, 3, 1, 1, 1, 1, 1, 1, 1, 6, 6}));
  keys.set("tokenizer.ggml.merges", strings({"a b", "▁ a", "\n \n"}));
  keys.set("tokenizer.ggml.bos_token_id", integer(1));
  keys.set("tokenizer.ggml.unknown_token_id", integer(0));
  keys.set("tokenizer.ggml.add_bos_token", Value(false));
  const auto tokenizer = keys.load();
  CHECK(tokenizer->adds_bos());
  CHECK(tokenizer->encode("a ab a\n\n\nbü") == Ids{2, 5, 4, 6, 8, 7, 3, 9, 10});
  CHECK(tokenizer->decode(Ids{2, 5, 4, 6, 8, 7, 3, 9, 10}) == "a ab a\n\n\nbü");
  CHECK(tokenizer->encode("aéz") == Ids{2, 0});  // no byte token for these: unknown, once
  keys.set("tokenizer.ggml.add_space_prefix", Value(true));
  CHECK(keys.load()->encode("a") == Ids{6});
}

TEST_CASE("whether a begin token is added is the file's say, else the model's habit") {
  Keys keys = small("gpt2");
  CHECK_FALSE(keys.load()->adds_bos());
  keys.set("tokenizer.ggml.pre", string("llama-bpe"));
  CHECK(keys.load()->adds_bos());
  keys.set("tokenizer.ggml.add_bos_token", Value(false));
  CHECK_FALSE(keys.load()->adds_bos());
  CHECK(small("llama").load()->adds_bos());
}

TEST_CASE("keys that are missing, of the wrong kind or out of range are refused by name") {
  const auto refused = [](Status status, std::initializer_list<std::string_view> pieces, const std::string& model,
                          std::string key, Value value) {
    CAPTURE(key);
    Keys keys = small(model);
    keys.set(std::move(key), std::move(value));
    check_error(status, pieces, [&] { keys.load(); });
  };
  const auto corrupt = Status::corrupt_file;
  check_error(corrupt, {"model.gguf", "tokenizer.ggml.model", "missing"}, [] { Tokenizer::from_gguf(Value(), "model.gguf"); });
  refused(Status::unsupported, {"model.gguf", "'t5'", "gpt2", "llama", "gemma4"}, "gpt2", "tokenizer.ggml.model", string("t5"));
  refused(Status::unsupported, {"model.gguf", "'mystery'", "qwen2"}, "gpt2", "tokenizer.ggml.pre", string("mystery"));
  refused(corrupt, {"tokenizer.ggml.pre"}, "gpt2", "tokenizer.ggml.pre", integer(1));
  refused(corrupt, {"tokenizer.ggml.tokens"}, "gpt2", "tokenizer.ggml.tokens", Value());
  refused(corrupt, {"tokenizer.ggml.tokens[1]", "string"}, "gpt2", "tokenizer.ggml.tokens",
          Value(Value::Array{string("a"), integer(1), string("b"), string("c"), string("d"), string("e"), string("f"),
                             string("g"), string("h")}));
  refused(corrupt, {"tokenizer.ggml.token_type", "9"}, "gpt2", "tokenizer.ggml.token_type", integers({1, 1}));
  refused(corrupt, {"tokenizer.ggml.token_type[0]"}, "gpt2", "tokenizer.ggml.token_type",
          integers({7, 1, 1, 1, 1, 1, 1, 1, 1}));
  refused(corrupt, {"tokenizer.ggml.merges", "array"}, "gpt2", "tokenizer.ggml.merges", Value());
  refused(corrupt, {"tokenizer.ggml.merges[0]", "space"}, "gpt2", "tokenizer.ggml.merges", strings({"ab"}));
  refused(corrupt, {"tokenizer.ggml.merges[0]", "space"}, "gpt2", "tokenizer.ggml.merges", strings({"a "}));
  refused(corrupt, {"tokenizer.ggml.merges[1]", "'ba'"}, "gpt2", "tokenizer.ggml.merges", strings({"a b", "b a"}));
  refused(corrupt, {"tokenizer.ggml.scores", "9"}, "llama", "tokenizer.ggml.scores", Value());
  refused(corrupt, {"tokenizer.ggml.scores[0]", "finite"}, "llama", "tokenizer.ggml.scores",
          Value(Value::Array(9, Value(std::numeric_limits<double>::quiet_NaN()))));
  refused(corrupt, {"tokenizer.ggml.bos_token_id", "below 9"}, "gpt2", "tokenizer.ggml.bos_token_id", integer(9));
  refused(corrupt, {"tokenizer.ggml.eos_token_id"}, "gpt2", "tokenizer.ggml.eos_token_id", integer(-1));
  refused(corrupt, {"tokenizer.ggml.add_bos_token"}, "gpt2", "tokenizer.ggml.add_bos_token", integer(1));
}
