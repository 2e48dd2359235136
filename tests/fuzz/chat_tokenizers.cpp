#include "fuzz/chat_tokenizers.hpp"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "io/value.hpp"
#include "run/tokenizer_impl.hpp"
#include "text/byte_alphabet.hpp"
#include "text/tokenizer.hpp"

namespace fathom::fuzz {
namespace {

using io::Value;
using Strings = std::vector<std::string>;

const Strings kDeepSeek = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"};
const Strings kThink = {"<think>", "</think>"};
const Strings kChatml = {"<|im_start|>", "<|im_end|>"};
const Strings kLlama3 = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};

// What of the published templates tells the formats and their particulars apart.
constexpr const char* kQwen2 =
    "{%- if messages[0]['role'] == 'system' %}{%- else %}{{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}{%- endif %}";
constexpr const char* kQwen3 =
    "{{- '<|im_start|>' + message.role }}{%- if loop.index0 > ns.last_query_index %}{{- content.split('</think>')[-1] }}{%- "
    "endif %}"
    "{%- if enable_thinking is defined %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";
constexpr const char* kR1 = "{{'<｜User｜>' + content}}{% if '</think>' in content %}{{'<｜Assistant｜><think>\\n'}}";
constexpr const char* kV31 = "{% if not thinking is defined %}{{'<｜Assistant｜></think>'}}";
constexpr const char* kV2 = "{{ 'User: ' + content }}{{ 'Assistant: ' + content }}";

Strings joined(std::initializer_list<Strings> lists) {
  Strings all;
  for (const Strings& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

Value object(std::initializer_list<Value::Member> members) { return Value(Value::Object(members)); }
Value string(std::string_view text) { return Value(std::string(text)); }
Value typed(const char* type) { return object({{"type", string(type)}}); }

Tokenizer wrapped(std::unique_ptr<text::Tokenizer> inner) {
  return Tokenizer(std::make_shared<Tokenizer::Impl>(std::move(inner)));
}

// Texts with consecutive ids, each once.
class Words {
 public:
  void add(const std::string& text) {
    if (std::find(list_.begin(), list_.end(), text) == list_.end()) list_.push_back(text);
  }
  std::int64_t id(const std::string& text) const { return std::find(list_.begin(), list_.end(), text) - list_.begin(); }
  const Strings& list() const { return list_; }

 private:
  Strings list_;
};

Words printable_characters() {
  Words words;
  for (char c = '!'; c <= '~'; ++c) words.add(std::string(1, c));
  return words;
}

void add_fallback_bytes(Words& words) {
  for (int byte = 0; byte < 256; ++byte)
    words.add({'<', '0', 'x', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15], '>'});
}

// tokenizer.json of a BPE model.
struct Document {
  Words words;
  Value::Array merges;
  Strings markers;
  Value normalizer, pre_tokenizer, decoder;
  bool ignore_merges = false, byte_fallback = false;
  std::string unknown;

  // Merges that lead from characters to the whole word: what is typed like a marker becomes one token, unless that is refused.
  void lead_to(const std::string& word) {
    for (std::size_t n = 2; n <= word.size(); ++n) {
      words.add(word.substr(0, n));
      merges.push_back(Value(Value::Array{string(word.substr(0, n - 1)), string(word.substr(n - 1, 1))}));
    }
  }

  Tokenizer load(const char* chat_template) {
    Value::Array added;
    for (const std::string& marker : markers) words.add(marker);
    for (const std::string& marker : markers) {
      const bool special = std::find(kThink.begin(), kThink.end(), marker) == kThink.end();
      added.push_back(object({{"id", Value(words.id(marker))},
                              {"content", string(marker)},
                              {"normalized", Value(false)},
                              {"special", Value(special)}}));
    }
    Value::Object vocabulary;
    for (const std::string& text : words.list()) vocabulary.emplace_back(text, Value(words.id(text)));
    const Value model = object({{"vocab", Value(vocabulary)},
                                {"merges", Value(merges)},
                                {"ignore_merges", Value(ignore_merges)},
                                {"byte_fallback", Value(byte_fallback)},
                                {"fuse_unk", Value(!unknown.empty())},
                                {"unk_token", unknown.empty() ? Value() : string(unknown)}});
    const Value document = object({{"model", model},
                                   {"added_tokens", Value(added)},
                                   {"normalizer", normalizer},
                                   {"pre_tokenizer", pre_tokenizer},
                                   {"decoder", decoder}});
    const Value config = object({{"chat_template", string(chat_template)}});
    return wrapped(text::Tokenizer::from_huggingface(document, config, "chat"));
  }
};

Document byte_level(const Strings& markers) {
  Document document;
  for (int byte = 0; byte < 256; ++byte) {
    std::string symbol;
    text::append_symbols(std::string(1, char(byte)), symbol);
    document.words.add(symbol);
  }
  document.markers = markers;
  document.pre_tokenizer = object({{"type", string("ByteLevel")}, {"add_prefix_space", Value(false)}});
  document.decoder = typed("ByteLevel");
  return document;
}

Document sentencepiece(const Strings& markers) {
  Document document;
  document.words = printable_characters();
  document.words.add("<unk>");
  document.words.add("▁");
  add_fallback_bytes(document.words);
  document.markers = markers;
  document.byte_fallback = true;
  document.unknown = "<unk>";
  const Value space = object({{"String", string(" ")}}), symbol = object({{"String", string("▁")}});
  document.normalizer =
      object({{"type", string("Sequence")},
              {"normalizers",
               Value(Value::Array{object({{"type", string("Prepend")}, {"prepend", string("▁")}}),
                                  object({{"type", string("Replace")}, {"pattern", space}, {"content", string("▁")}})})}});
  document.decoder = object(
      {{"type", string("Sequence")},
       {"decoders", Value(Value::Array{object({{"type", string("Replace")}, {"pattern", symbol}, {"content", string(" ")}}),
                                       typed("ByteFallback"), typed("Fuse"),
                                       object({{"type", string("Strip")},
                                               {"content", string(" ")},
                                               {"start", Value(std::int64_t(1))},
                                               {"stop", Value(std::int64_t(0))}})})}});
  return document;
}

// The same kind by score, where any two neighbours merge whose text is a token.
Tokenizer scored(const Strings& markers, const char* chat_template) {
  Words words = printable_characters();
  words.add("<unk>");
  words.add("▁");
  const std::size_t first_byte = words.list().size();
  add_fallback_bytes(words);
  const std::size_t first_prefix = words.list().size();
  for (const std::string& marker : markers) {
    for (std::size_t n = 2; n < marker.size(); ++n) words.add(marker.substr(0, n));
  }
  const std::size_t first_marker = words.list().size();
  for (const std::string& marker : markers) words.add(marker);
  Value::Array tokens, types, scores;
  for (std::size_t i = 0; i < words.list().size(); ++i) {
    tokens.push_back(string(words.list()[i]));
    const int type = words.list()[i] == "<unk>" ? 2 : i >= first_marker ? 3 : i >= first_byte && i < first_prefix ? 6 : 1;
    types.emplace_back(std::int64_t(type));
    scores.emplace_back(-double(i));
  }
  return wrapped(text::Tokenizer::from_gguf(object({{"tokenizer.ggml.model", string("llama")},
                                                    {"tokenizer.ggml.tokens", Value(tokens)},
                                                    {"tokenizer.ggml.token_type", Value(types)},
                                                    {"tokenizer.ggml.scores", Value(scores)},
                                                    {"tokenizer.ggml.unknown_token_id", Value(words.id("<unk>"))},
                                                    {"tokenizer.chat_template", string(chat_template)}}),
                                            "chat"));
}

std::vector<ChatTokenizer> make_all() {
  std::vector<ChatTokenizer> made;
  const auto add = [&](std::string name, Tokenizer tokenizer, Exactness exactness, Strings markers) {
    made.push_back({std::move(name), std::move(tokenizer), exactness, std::move(markers)});
  };
  const auto plain = [&](std::string name, const Strings& markers, const char* chat_template) {
    add(std::move(name), byte_level(markers).load(chat_template), Exactness::bytes, markers);
  };
  const Strings every = joined({kDeepSeek, kThink, kChatml, kLlama3});
  plain("all markers, no template", every, "");
  plain("r1 without think", kDeepSeek, kR1);
  plain("v3.1", joined({kDeepSeek, kThink}), kV31);
  plain("v2", kDeepSeek, kV2);
  {
    const Strings markers = joined({kChatml, kThink});
    Document document = byte_level(markers);
    for (const char* word : {"<|im_end|>", "<|im_start|>", "assistant"}) document.lead_to(word);
    add("qwen3", document.load(kQwen3), Exactness::bytes, markers);
  }
  {
    Document document = byte_level(kChatml);
    document.normalizer = typed("NFC");
    add("qwen2", document.load(kQwen2), Exactness::none, kChatml);
  }
  {
    Document document = byte_level(kLlama3);
    document.ignore_merges = true;
    for (const char* word : {"<|eot_id|>", "user"}) document.lead_to(word);
    document.pre_tokenizer =
        object({{"type", string("ByteLevel")}, {"add_prefix_space", Value(false)}, {"use_regex", Value(false)}});
    add("llama3", document.load(""), Exactness::bytes, kLlama3);
  }
  {
    const Strings markers = joined({kChatml, {"<s>", "</s>"}});
    Document document = sentencepiece(markers);
    for (const char* word : {"<|im_end|>", "</s>"}) document.lead_to(word);
    add("sentencepiece by rank", document.load("<|im_start|>"), Exactness::spaces, markers);
    add("sentencepiece by score", scored(markers, "<|im_start|>"), Exactness::spaces, markers);
  }
  {
    Document document;  // whose every text is one token, or none
    document.decoder = typed("Fuse");
    document.words.add("<unk>");
    document.unknown = "<unk>";
    add("nothing but unknown", document.load(""), Exactness::none, {});
    document.words.add("m");
    document.unknown.clear();
    add("nothing but m", document.load(kQwen2), Exactness::none, {});
  }
  return made;
}

}  // namespace

const std::vector<ChatTokenizer>& chat_tokenizers() {
  static const std::vector<ChatTokenizer> all = make_all();
  return all;
}

}  // namespace fathom::fuzz
