// tokenizer.json and tokenizer_config.json, as Hugging Face's library writes them, to a tokenizer.
#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "text/bpe_tokenizer.hpp"
#include "text/control_tokens.hpp"
#include "text/huggingface_steps.hpp"
#include "text/json_node.hpp"

namespace fathom::text {
namespace {

constexpr std::size_t kMaxAddedBytes = 4096;  // a longer marker would make the search for it slow
constexpr std::size_t kMaxAround = 64;        // tokens a template puts before or behind a text

struct Kind {
  bool special = false;
  bool normalized = false;
};

class Reader {
 public:
  Reader(const io::Value& tokenizer, const io::Value& config, std::string_view origin)
      : tokenizer_(tokenizer, fmt::format("{}/tokenizer.json", origin)),
        config_(config, fmt::format("{}/tokenizer_config.json", origin)) {}

  std::unique_ptr<Tokenizer> read() {
    tokenizer_.object();
    check_model_type();
    parts_.vocabulary = std::make_unique<Vocabulary>();
    read_vocabulary();
    read_added_tokens();
    read_config_added_tokens();
    check_density();
    read_normalizer(tokenizer_["normalizer"], parts_.normalizer);
    byte_level_ = read_pre_tokenizer(tokenizer_["pre_tokenizer"], parts_.pre_tokenizer);
    if (!byte_level_ && merges_within_words(vocabulary())) parts_.pre_tokenizer.add(word_step(std::string(kSpaceSymbol)));
    place_added_tokens();
    read_model();
    decode_tokens(read_decoder(tokenizer_["decoder"]));
    read_post_processor(tokenizer_["post_processor"]);
    read_config();
    return make_bpe_tokenizer(std::move(parts_));
  }

 private:
  Vocabulary& vocabulary() { return *parts_.vocabulary; }

  void check_model_type() const {
    const JsonNode model = tokenizer_["model"].object();
    const std::string_view type = model["type"].string_or("BPE");
    if (type != "BPE") model["type"].unsupported(fmt::format("the model {} (fathom has BPE)", type));
    for (std::string_view affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model[affix].string_or("").empty()) model[affix].unsupported("anything but an empty text");
    }
  }

  void read_vocabulary() {
    const JsonNode vocab = tokenizer_["model"]["vocab"].object();
    for (const auto& [text, value] : vocab.value().object()) {
      const auto id = value.as_int();
      if (!id || *id < 0 || *id > kMaxTokenId) {
        fail(Status::corrupt_file, "{}['{}']: expected a token id from 0 to {}", vocab.place(), text, kMaxTokenId);
      }
      vocabulary().add(TokenId(*id), text, vocab.place());
    }
    if (vocabulary().count() == 0) vocab.expected("at least one token");
  }

  void read_added_tokens() {
    const JsonNode list = tokenizer_["added_tokens"];
    if (list.is_null()) return;
    for (std::size_t i = 0; i < list.array().size(); ++i) add_token(list[i], read_id(list[i]["id"]));
  }

  // Entries that tokenizer.json lacks, and flags of those it has; it wins on ids.
  void read_config_added_tokens() {
    const JsonNode entries = config_["added_tokens_decoder"];
    if (entries.is_null()) return;
    for (const auto& [key, value] : entries.object().value().object()) {
      const JsonNode entry(value, fmt::format("{}['{}']", entries.place(), key));
      TokenId id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size() || id < 0 || id > kMaxTokenId) {
        entry.expected(fmt::format("a token id from 0 to {} as key", kMaxTokenId));
      }
      const auto known = vocabulary().find(entry.object()["content"].string());
      if (known || !vocabulary().has(id)) add_token(entry, known.value_or(id));
    }
  }

  TokenId read_id(const JsonNode& node) const {
    const std::int64_t id = node.integer();
    if (id < 0 || id > kMaxTokenId) node.expected(fmt::format("a token id from 0 to {}", kMaxTokenId));
    return TokenId(id);
  }

  void add_token(const JsonNode& node, TokenId id) {
    const std::string_view content = node["content"].string();
    if (content.empty() || content.size() > kMaxAddedBytes) {
      node["content"].expected(fmt::format("a text of 1 to {} bytes", kMaxAddedBytes));
    }
    if (vocabulary().text(id) != content) vocabulary().add(id, content, node.place());
    const bool special = node["special"].boolean_or(false);
    AddedToken token{.id = id,
                     .content = std::string(content),
                     .single_word = node["single_word"].boolean_or(false),
                     .lstrip = node["lstrip"].boolean_or(false),
                     .rstrip = node["rstrip"].boolean_or(false),
                     .control = special};
    const Kind kind{special, node["normalized"].boolean_or(!special)};
    const auto [place, is_new] = added_at_.try_emplace(id, added_.size());
    if (is_new) {
      added_.push_back(std::move(token));
      kinds_.push_back(kind);
    } else {
      added_[place->second] = std::move(token);
      kinds_[place->second] = kind;
    }
  }

  // Tables are sized by the largest id.
  void check_density() const {
    const std::int64_t size = parts_.vocabulary->size(), count = parts_.vocabulary->count();
    if (size > 4 * count + 65536) {
      fail(Status::corrupt_file, "{}: token ids reach {}, but there are {} tokens", tokenizer_.place(), size - 1, count);
    }
  }

  void place_added_tokens() {
    parts_.is_special.assign(std::size_t(vocabulary().size()), false);
    is_added_ = is_control_ = parts_.is_special;
    for (const AddedToken& token : added_) is_added_[std::size_t(token.id)] = true;
    parts_.bos = config_token("bos_token", {"<｜begin▁of▁sentence｜>", "<|begin_of_text|>", "<s>", "<bos>"});
    parts_.eos = config_token("eos_token", {"<｜end▁of▁sentence｜>", "</s>", "<eos>", "<|im_end|>", "<|endoftext|>"});
    mark_control(added_, chat_templates(config_["chat_template"]));
    RegexScratch scratch;
    for (std::size_t i = 0; i < added_.size(); ++i) {
      AddedToken& token = added_[i];
      const auto id = std::size_t(token.id);
      token.control |= parts_.bos == token.id || parts_.eos == token.id;
      is_control_[id] = token.control;
      parts_.is_special[id] = kinds_[i].special;
      if (kinds_[i].normalized) {
        token.content = parts_.normalizer.apply(token.content, scratch);
        if (!token.content.empty()) parts_.normalized_added.add(std::move(token));
      } else {
        parts_.raw_added.add(std::move(token));
      }
    }
  }

  void read_model() {
    const JsonNode model = tokenizer_["model"];
    RankedBpe rules;
    rules.merges = read_merges(model["merges"]);
    rules.byte_level = byte_level_;
    rules.byte_fallback = model["byte_fallback"].boolean_or(false);
    rules.ignore_merges = model["ignore_merges"].boolean_or(false);
    rules.fuse_unknown = model["fuse_unk"].boolean_or(false);
    rules.is_added = is_added_;
    const std::string_view unknown = model["unk_token"].string_or("");
    if (!unknown.empty()) rules.unknown = vocabulary().find(unknown);
    if (!unknown.empty() && !rules.unknown) model["unk_token"].expected("a token of the vocabulary");
    rules.bytes = byte_level_ ? level_bytes(vocabulary()) : fallback_bytes(vocabulary());
    parts_.model = ranked_bpe(std::move(rules), vocabulary());
  }

  MergeTable read_merges(const JsonNode& merges) {
    const io::Value::Array& list = merges.array().value().array();
    MergeTable table(list.size());
    std::string joined;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto [left, right] = read_merge(merges, i);
      joined.assign(left).append(right);
      const TokenId from_left = merge_token(left, merges, i), from_right = merge_token(right, merges, i);
      const TokenId merged = merge_token(joined, merges, i);
      // A file may list merges for control tokens, too: letters that a user typed must not make one.
      if (!is_control_[std::size_t(merged)]) table.add(from_left, from_right, std::uint32_t(i), merged);
    }
    return table;
  }

  // "a b", split at the first space, or ["a", "b"].
  std::pair<std::string_view, std::string_view> read_merge(const JsonNode& merges, std::size_t i) const {
    const io::Value& merge = merges.value().array()[i];
    std::string_view left, right;
    if (const auto line = merge.as_string()) {
      const std::size_t space = std::min(line->find(' '), line->size());
      left = line->substr(0, space);
      right = line->substr(std::min(space + 1, line->size()));
    } else if (merge.array().size() == 2) {
      left = merge.array()[0].as_string().value_or("");
      right = merge.array()[1].as_string().value_or("");
    }
    if (left.empty() || right.empty()) merges[i].expected("two tokens");
    return {left, right};
  }

  TokenId merge_token(std::string_view text, const JsonNode& merges, std::size_t i) const {
    const auto id = parts_.vocabulary->find(text);
    if (!id) fail(Status::corrupt_file, "{}[{}]: '{}' is no token of the vocabulary", merges.place(), i, text);
    return *id;
  }

  void decode_tokens(const Decoder& decoder) {
    const auto size = std::size_t(vocabulary().size());
    parts_.is_byte.assign(size, false);
    if (decoder.byte_fallback) {
      for (TokenId id : fallback_bytes(vocabulary())) {
        if (id >= 0) parts_.is_byte[std::size_t(id)] = true;
      }
    }
    auto& [bytes, starts] = parts_.token_bytes;
    for (std::size_t id = 0; id < size; ++id) {
      starts.push_back(bytes.size());
      append_token(id, decoder, bytes);
    }
    starts.push_back(bytes.size());
    parts_.strips_leading_space = decoder.strips_leading_space;
    parts_.replaces_each_byte = decoder.byte_fallback;
  }

  void append_token(std::size_t id, const Decoder& decoder, std::string& out) const {
    const std::string_view text = parts_.vocabulary->text(TokenId(id));
    if (parts_.is_byte[id]) {
      out.push_back(char(std::stoi(std::string(text.substr(3, 2)), nullptr, 16)));
    } else if (!decoder.byte_level || !append_level_bytes(text, is_added_[id], out)) {
      std::string replaced(text);
      for (const auto& [from, to] : decoder.replacements) replaced = replace_all(replaced, from, to);
      out += replaced;
    }
  }

  void read_post_processor(const JsonNode& node) {
    if (node.is_null()) return;
    const std::string_view type = node.object()["type"].string();
    if (type == "TemplateProcessing") {
      read_template(node);
    } else if (type == "Sequence") {
      const JsonNode steps = node["processors"].array();
      for (std::size_t i = 0; i < steps.size(); ++i) read_post_processor(steps[i]);
    } else if (type != "ByteLevel") {  // which moves offsets only
      node.unsupported(fmt::format("the type {}", type));
    }
  }

  void read_template(const JsonNode& node) {
    const JsonNode single = node["single"].array();
    bool seen_text = false;
    for (std::size_t i = 0; i < single.size(); ++i) {
      const JsonNode piece = single[i].object();
      if (!piece["Sequence"].is_null()) {
        if (seen_text) piece.expected("the text only once");
        seen_text = true;
        continue;
      }
      const JsonNode ids = node["special_tokens"][piece["SpecialToken"].object()["id"].string()]["ids"].array();
      auto& side = seen_text ? parts_.behind : parts_.before;
      for (std::size_t k = 0; k < ids.size(); ++k) {
        const TokenId id = read_id(ids[k]);
        if (!vocabulary().has(id)) ids[k].expected("an id of the vocabulary");
        if (side.size() == kMaxAround) single.expected(fmt::format("at most {} tokens", kMaxAround));
        side.push_back(id);
      }
    }
    if (!seen_text) single.expected("a place for the text");
  }

  void read_config() {
    const auto add = [](std::vector<TokenId>& side, std::optional<TokenId> id, bool in_front) {
      if (id && std::find(side.begin(), side.end(), *id) == side.end()) side.insert(in_front ? side.begin() : side.end(), *id);
    };
    if (config_["add_bos_token"].boolean_or(false)) add(parts_.before, parts_.bos, true);
    if (config_["add_eos_token"].boolean_or(false)) add(parts_.behind, parts_.eos, false);
    std::vector<TokenId> named;
    if (parts_.eos) named.push_back(*parts_.eos);
    parts_.stop_tokens = find_stop_tokens(vocabulary(), is_added_, std::move(named));
    parts_.chat_template = read_chat_template(config_["chat_template"]);
  }

  // A text or an object with `content`. Without a config, the first of the usual names that is an added token.
  std::optional<TokenId> config_token(std::string_view key, std::initializer_list<std::string_view> usual) {
    if (config_.is_null()) {
      for (std::string_view name : usual) {
        const auto id = vocabulary().find(name);
        if (id && is_added_[std::size_t(*id)]) return id;
      }
      return std::nullopt;
    }
    const JsonNode token = config_[key];
    if (token.is_null()) return std::nullopt;
    return vocabulary().find(token.value().is_object() ? token["content"].string() : token.string());
  }

  static std::vector<std::string_view> chat_templates(const JsonNode& node) {
    if (!node.value().is_array()) return {node.string_or("")};
    std::vector<std::string_view> sources;
    for (std::size_t i = 0; i < node.size(); ++i) sources.push_back(node[i]["template"].string());
    return sources;
  }

  // One template, or several with names, of which "default" is meant.
  static std::string read_chat_template(const JsonNode& node) {
    if (!node.value().is_array()) return std::string(node.string_or(""));
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node[i]["name"].string() == "default") return std::string(node[i]["template"].string());
    }
    return {};
  }

  JsonNode tokenizer_;
  JsonNode config_;
  TokenizerParts parts_;
  bool byte_level_ = false;
  std::vector<AddedToken> added_;
  std::vector<Kind> kinds_;                            // of the same tokens
  std::unordered_map<TokenId, std::size_t> added_at_;  // id -> index into added_
  std::vector<bool> is_added_, is_control_;            // by id
};

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::from_huggingface(const io::Value& tokenizer, const io::Value& tokenizer_config,
                                                       std::string_view origin) {
  return Reader(tokenizer, tokenizer_config, origin).read();
}

}  // namespace fathom::text
