// The tokenizer.ggml.* keys of a GGUF file, to a tokenizer.
#include <cmath>
#include <initializer_list>

#include "base/error.hpp"
#include "text/bpe_tokenizer.hpp"
#include "text/control_tokens.hpp"
#include "text/known_patterns.hpp"

namespace fathom::text {
namespace {

// tokenizer.ggml.token_type
enum class TokenType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

class Reader {
 public:
  Reader(const io::Value& metadata, std::string_view origin) : metadata_(metadata), origin_(origin) {}

  std::unique_ptr<Tokenizer> read() {
    const std::string_view model = string("tokenizer.ggml.model");
    if (model != "gpt2" && model != "llama" && model != "gemma4") {
      fail(Status::unsupported, "{}: tokenizer.ggml.model is '{}'; fathom reads gpt2, llama and gemma4", origin_, model);
    }
    byte_level_ = model == "gpt2";
    parts_.vocabulary = std::make_unique<Vocabulary>();
    read_tokens();
    bool adds_bos = true;
    if (byte_level_) {
      adds_bos = flag("tokenizer.ggml.add_bos_token", read_ranked());
    } else if (model == "llama") {
      read_scored();
      adds_bos = flag("tokenizer.ggml.add_bos_token", true);
    } else {
      read_ranked_text();  // and a begin token always: files exist that say no, and Gemma is lost without it
    }
    decode_tokens();
    read_special_tokens(adds_bos);
    parts_.chat_template = metadata_["tokenizer.chat_template"].as_string().value_or("");
    return make_bpe_tokenizer(std::move(parts_));
  }

 private:
  [[noreturn]] void expected(std::string_view key, std::string_view what) const {
    fail(Status::corrupt_file, "{}: {} is {}, expected {}", origin_, key, metadata_.has(key) ? "something else" : "missing",
         what);
  }

  std::string_view string(std::string_view key) const {
    const auto text = metadata_[key].as_string();
    if (!text) expected(key, "a string");
    return *text;
  }

  // An array with one element a token.
  const io::Value::Array& per_token(std::string_view key) const {
    const auto& list = metadata_[key].array();
    if (list.size() != types_.size()) expected(key, fmt::format("an array of {}, one for each token", types_.size()));
    return list;
  }

  bool flag(std::string_view key, bool otherwise) const {
    const io::Value& value = metadata_[key];
    if (value.is_null()) return otherwise;
    if (!value.as_bool()) expected(key, "true or false");
    return *value.as_bool();
  }

  std::optional<TokenId> token_id(std::string_view key) const {
    const io::Value& value = metadata_[key];
    if (value.is_null()) return std::nullopt;
    const auto id = value.as_int();
    if (!id || *id < 0 || *id >= parts_.vocabulary->size()) {
      expected(key, fmt::format("a token id below {}", parts_.vocabulary->size()));
    }
    return TokenId(*id);
  }

  TokenType type(TokenId id) const { return types_[std::size_t(id)]; }
  bool is_added(TokenId id) const {
    return type(id) == TokenType::control || type(id) == TokenType::user_defined || type(id) == TokenType::unknown;
  }

  void read_tokens() {
    constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
    const auto& tokens = metadata_[kTokens].array();
    if (tokens.empty() || tokens.size() > std::size_t(kMaxTokenId)) {
      expected(kTokens, fmt::format("an array of 1 to {} strings", kMaxTokenId));
    }
    types_.assign(tokens.size(), TokenType::normal);
    read_types();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto text = tokens[i].as_string();
      if (!text) expected(fmt::format("{}[{}]", kTokens, i), "a string");
      // Padding of the embedding matrix, which older converters call user-defined.
      if (types_[i] == TokenType::user_defined && *text == fmt::format("[PAD{}]", i)) types_[i] = TokenType::unused;
      // Padding repeats; a name is taken by the first token that has it.
      if (types_[i] == TokenType::unused || parts_.vocabulary->find(*text)) {
        parts_.vocabulary->add_unnamed(TokenId(i), *text, origin_);
      } else {
        parts_.vocabulary->add(TokenId(i), *text, origin_);
      }
    }
    correct_types();
    mark_added();
  }

  void read_types() {
    constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
    if (!metadata_.has(kTypes)) return;
    const auto& list = per_token(kTypes);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto number = list[i].as_int().value_or(0);
      if (number < int(TokenType::normal) || number > int(TokenType::byte)) {
        expected(fmt::format("{}[{}]", kTypes, i), "a token type from 1 to 6");
      }
      types_[i] = TokenType(number);
    }
  }

  // Conversions exist in which markers are ordinary words.
  void correct_types() {
    begins_or_ends_.assign(types_.size(), false);
    for (std::string_view key : {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                 "tokenizer.ggml.eom_token_id"}) {
      if (const auto id = token_id(key)) begins_or_ends_[std::size_t(*id)] = true;
    }
    for (std::size_t id = 0; id < types_.size(); ++id) {
      if (types_[id] != TokenType::normal) continue;
      const Spelling spelling = spelling_of_word(parts_.vocabulary->text(TokenId(id)), begins_or_ends_[id]);
      if (spelling == Spelling::marker) types_[id] = TokenType::control;
      if (spelling == Spelling::shown_marker) types_[id] = TokenType::user_defined;
    }
  }

  void mark_added() {
    is_added_.assign(types_.size(), false);
    is_control_ = parts_.is_special = is_added_;
    std::vector<AddedToken> added;
    for (TokenId id = 0; id < parts_.vocabulary->size(); ++id) {
      const std::string_view text = parts_.vocabulary->text(id);
      if (!is_added(id) || text.empty()) continue;
      const bool is_special = type(id) != TokenType::user_defined;
      is_added_[std::size_t(id)] = true;
      parts_.is_special[std::size_t(id)] = is_special;
      added.push_back({.id = id, .content = std::string(text), .control = is_special || begins_or_ends_[std::size_t(id)]});
    }
    mark_control(added, chat_templates());
    for (AddedToken& token : added) {
      is_control_[std::size_t(token.id)] = token.control;
      parts_.raw_added.add(std::move(token));
    }
  }

  // The default one and those with names.
  std::vector<std::string_view> chat_templates() const {
    std::vector<std::string_view> sources;
    for (const auto& [key, value] : metadata_.object()) {
      if (key.starts_with("tokenizer.chat_template")) sources.push_back(value.as_string().value_or(""));
    }
    return sources;
  }

  // Gives whether a begin token is usual.
  bool read_ranked() {
    const KnownPreTokenizer& known =
        known_pre_tokenizer(metadata_.has("tokenizer.ggml.pre") ? string("tokenizer.ggml.pre") : "default", origin_);
    if (known.nfc) parts_.normalizer.add(UnicodeForm{NormalizationForm::nfc});
    for (std::string_view pattern : known.patterns) {
      Regex regex(pattern, fmt::format("{}: tokenizer.ggml.pre {}", origin_, known.name));
      parts_.pre_tokenizer.add(split_step(std::move(regex), SplitBehavior::isolated, false));
    }
    RankedBpe rules;
    rules.merges = read_merges();
    rules.byte_level = true;
    rules.bytes = level_bytes(*parts_.vocabulary);
    rules.ignore_merges = known.ignore_merges;
    rules.is_added = is_added_;
    parts_.model = ranked_bpe(std::move(rules), *parts_.vocabulary);
    return known.adds_bos;
  }

  MergeTable read_merges() const {
    constexpr std::string_view kMerges = "tokenizer.ggml.merges";
    const io::Value& value = metadata_[kMerges];
    if (!value.is_array()) expected(kMerges, "an array of strings");
    const auto& list = value.array();
    MergeTable table(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string_view line = list[i].as_string().value_or("");
      const std::size_t space = line.find(' ', line.empty() ? 0 : 1);
      if (space == std::string_view::npos || space + 1 == line.size()) {
        expected(fmt::format("{}[{}]", kMerges, i), "two tokens with a space between them");
      }
      const std::string_view left = line.substr(0, space), right = line.substr(space + 1);
      const TokenId from_left = merge_token(left, i), from_right = merge_token(right, i);
      const TokenId merged = merge_token(std::string(left).append(right), i);
      // as in tokenizer.json: letters that a user typed never make a control token
      if (!is_control_[std::size_t(merged)]) table.add(from_left, from_right, std::uint32_t(i), merged);
    }
    return table;
  }

  TokenId merge_token(std::string_view text, std::size_t i) const {
    const auto id = parts_.vocabulary->find(text);
    if (!id) fail(Status::corrupt_file, "{}: tokenizer.ggml.merges[{}]: '{}' is no token of the vocabulary", origin_, i, text);
    return *id;
  }

  void read_scored() {
    ScoredBpe rules;
    const auto& scores = per_token("tokenizer.ggml.scores");
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const auto score = scores[i].as_double();
      if (!score || !std::isfinite(*score)) expected(fmt::format("tokenizer.ggml.scores[{}]", i), "a finite number");
      rules.scores.push_back(float(*score));
      const bool is_word = types_[i] == TokenType::normal || types_[i] == TokenType::user_defined;
      rules.mergeable.push_back(is_word && !is_control_[i]);
    }
    rules.bytes = fallback_bytes(*parts_.vocabulary);
    rules.unknown = token_id("tokenizer.ggml.unknown_token_id");
    parts_.model = scored_bpe(std::move(rules), *parts_.vocabulary);
    write_spaces_as_symbols(flag("tokenizer.ggml.add_space_prefix", true));
  }

  // Merges by rank as in read_ranked(), of characters as in read_scored().
  void read_ranked_text() {
    RankedBpe rules;
    rules.merges = read_merges();
    rules.byte_fallback = true;
    rules.bytes = fallback_bytes(*parts_.vocabulary);
    rules.is_added = is_added_;
    rules.unknown = token_id("tokenizer.ggml.unknown_token_id");
    rules.fuse_unknown = true;
    parts_.model = ranked_bpe(std::move(rules), *parts_.vocabulary);
    write_spaces_as_symbols(flag("tokenizer.ggml.add_space_prefix", false));
  }

  void write_spaces_as_symbols(bool prefix) {
    // The prefix goes before every stretch, as a begin of text and a marker both start a new one.
    if (prefix) parts_.normalizer.add(Prepend{std::string(kSpaceSymbol)});
    parts_.normalizer.add(ReplaceLiteral{" ", std::string(kSpaceSymbol)});
    if (merges_within_words(*parts_.vocabulary)) parts_.pre_tokenizer.add(word_step(std::string(kSpaceSymbol)));
    parts_.strips_leading_space = prefix;
    parts_.replaces_each_byte = true;
  }

  void decode_tokens() {
    parts_.is_byte.assign(types_.size(), false);
    if (!byte_level_) {
      for (TokenId id : fallback_bytes(*parts_.vocabulary)) {
        if (id >= 0 && type(id) == TokenType::byte) parts_.is_byte[std::size_t(id)] = true;
      }
    }
    auto& [bytes, starts] = parts_.token_bytes;
    for (TokenId id = 0; id < parts_.vocabulary->size(); ++id) {
      starts.push_back(bytes.size());
      append_token(id, bytes);
    }
    starts.push_back(bytes.size());
  }

  void append_token(TokenId id, std::string& out) const {
    const std::string_view text = parts_.vocabulary->text(id);
    if (type(id) == TokenType::unused) return;  // padding of the embedding matrix
    if (parts_.is_byte[std::size_t(id)]) {
      out.push_back(char(std::stoi(std::string(text.substr(3, 2)), nullptr, 16)));
    } else if (byte_level_) {
      if (!append_level_bytes(text, is_added_[std::size_t(id)], out)) out += text;
    } else if (is_added(id)) {
      out += text;
    } else {
      out += replace_all(text, kSpaceSymbol, " ");
    }
  }

  void read_special_tokens(bool adds_bos) {
    parts_.bos = token_id("tokenizer.ggml.bos_token_id");
    parts_.eos = token_id("tokenizer.ggml.eos_token_id");
    if (parts_.bos && adds_bos) parts_.before.push_back(*parts_.bos);
    if (parts_.eos && flag("tokenizer.ggml.add_eos_token", false)) parts_.behind.push_back(*parts_.eos);
    std::vector<TokenId> named;
    for (std::string_view key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
      if (const auto id = token_id(key)) named.push_back(*id);
    }
    parts_.stop_tokens = find_stop_tokens(*parts_.vocabulary, is_added_, std::move(named));
  }

  const io::Value& metadata_;
  std::string origin_;
  bool byte_level_ = false;
  std::vector<TokenType> types_;
  std::vector<bool> begins_or_ends_, is_added_, is_control_;  // by id
  TokenizerParts parts_;
};

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::from_gguf(const io::Value& metadata, std::string_view origin) {
  return Reader(metadata, origin).read();
}

}  // namespace fathom::text
