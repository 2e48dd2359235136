#include "text/bpe_tokenizer.hpp"

#include <algorithm>
#include <deque>

#include "base/error.hpp"
#include "text/byte_alphabet.hpp"
#include "text/unicode.hpp"
#include "text/utf8_stream.hpp"

namespace fathom::text {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t(1) << 28;  // what normalisers may make of it still counts in 32 bits

// Where the ids of recent pieces lie in the output: words repeat. Belongs to one call, so that nothing is shared.
class PieceCache {
 public:
  // Short texts do not repay the table.
  explicit PieceCache(std::size_t text_bytes) : entries_(text_bytes < kWorthwhileBytes ? 0 : kEntries) {}

  // Appends the ids of a piece seen before.
  bool append(std::string_view piece, std::vector<TokenId>& ids) const {
    if (!caches(piece)) return false;
    const Entry& entry = entries_[slot_of(piece)];
    if (entry.piece != piece) return false;
    for (std::size_t i = 0; i < entry.count; ++i) ids.push_back(ids[entry.first + i]);
    return true;
  }
  // ids[first..] are those of `piece`, whose text outlives the cache.
  void remember(std::string_view piece, std::size_t first, const std::vector<TokenId>& ids) {
    if (caches(piece)) entries_[slot_of(piece)] = {piece, first, ids.size() - first};
  }

 private:
  struct Entry {
    std::string_view piece;
    std::size_t first = 0;
    std::size_t count = 0;
  };
  static constexpr std::size_t kEntries = 8192;
  static constexpr std::size_t kWorthwhileBytes = 4096;
  static constexpr std::size_t kMaxPieceBytes = 64;

  bool caches(std::string_view piece) const { return !entries_.empty() && piece.size() <= kMaxPieceBytes; }
  static std::size_t slot_of(std::string_view piece) { return std::hash<std::string_view>{}(piece) % kEntries; }

  std::vector<Entry> entries_;
};

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options) const override {
    if (text.size() > kMaxTextBytes) {
      fail(Status::invalid_argument, "a text of {} bytes is too long to encode at once; at most {}", text.size(),
           kMaxTextBytes);
    }
    std::string valid;
    if (!is_utf8(text)) {
      append_valid_utf8(text, valid);
      text = valid;
    }
    std::vector<TokenId> ids;
    if (options.add_special) ids = parts_.before;
    Encoding call(text, ids);
    const Find which = options.parse_special ? Find::all : Find::vocabulary;
    if (parts_.raw_added.finds(which)) {
      std::vector<Stretch> stretches;
      parts_.raw_added.split(text, which, stretches);
      for (const Stretch& stretch : stretches) encode_stretch(stretch, which, call);
    } else if (!text.empty()) {
      encode_stretch({text, std::nullopt}, which, call);
    }
    if (options.add_special) ids.insert(ids.end(), parts_.behind.begin(), parts_.behind.end());
    return ids;
  }

  std::string decode(std::span<const TokenId> ids, bool skip_special) const override {
    std::string text;
    Utf8Stream stream(*this, skip_special);
    for (TokenId id : ids) stream.push(id, text);
    stream.finish(text);
    return text;
  }

  void append_bytes(TokenId id, std::string& out) const override {
    if (!in_vocabulary(id)) return;
    const auto& starts = parts_.token_bytes.starts;
    const auto start = starts[std::size_t(id)];
    out.append(parts_.token_bytes.bytes, start, starts[std::size_t(id) + 1] - start);
  }

  bool is_byte(TokenId id) const noexcept override { return in_vocabulary(id) && parts_.is_byte[std::size_t(id)]; }
  bool strips_leading_space() const noexcept override { return parts_.strips_leading_space; }
  bool replaces_each_byte() const noexcept override { return parts_.replaces_each_byte; }
  std::int64_t vocab_size() const noexcept override { return parts_.vocabulary->size(); }
  bool is_special(TokenId id) const noexcept override { return in_vocabulary(id) && parts_.is_special[std::size_t(id)]; }
  std::optional<TokenId> find(std::string_view content) const override { return parts_.vocabulary->find(content); }
  std::optional<TokenId> bos() const noexcept override { return parts_.bos; }
  std::optional<TokenId> eos() const noexcept override { return parts_.eos; }
  std::span<const TokenId> stop_tokens() const noexcept override { return parts_.stop_tokens; }
  std::string_view chat_template() const noexcept override { return parts_.chat_template; }
  bool adds_bos() const noexcept override {
    return parts_.bos && !parts_.before.empty() && parts_.before.front() == *parts_.bos;
  }

 private:
  // What one call of encode() works with.
  struct Encoding {
    Encoding(std::string_view whole, std::vector<TokenId>& out) : text(whole), ids(out), cache(whole.size()) {}
    std::string_view text;
    std::vector<TokenId>& ids;
    Pieces pieces;
    ModelScratch model;
    std::deque<std::string> normalized;  // pieces and the cache point into it
    PieceCache cache;
  };

  bool in_vocabulary(TokenId id) const noexcept { return id >= 0 && id < parts_.vocabulary->size(); }

  void encode_stretch(const Stretch& raw, Find which, Encoding& call) const {
    if (raw.token) {
      call.ids.push_back(*raw.token);
      return;
    }
    const bool at_text_start = raw.text.data() == call.text.data();
    std::string_view text = raw.text;
    if (!parts_.normalizer.empty()) text = call.normalized.emplace_back(parts_.normalizer.apply(text, call.pieces.scratch));
    if (!parts_.normalized_added.finds(which)) {
      encode_plain(text, at_text_start, call);
      return;
    }
    std::vector<Stretch> stretches;
    parts_.normalized_added.split(text, which, stretches);
    for (const Stretch& stretch : stretches) {
      if (stretch.token) {
        call.ids.push_back(*stretch.token);
      } else {
        encode_plain(stretch.text, at_text_start && stretch.text.data() == text.data(), call);
      }
    }
  }

  void encode_plain(std::string_view text, bool at_text_start, Encoding& call) const {
    parts_.pre_tokenizer.split(text, at_text_start, call.pieces);
    for (std::string_view piece : call.pieces.spans) {
      if (call.cache.append(piece, call.ids)) continue;
      const std::size_t first = call.ids.size();
      parts_.model->encode(piece, call.model, call.ids);
      call.cache.remember(piece, first, call.ids);
    }
  }

  TokenizerParts parts_;
};

// Spellings of tokens behind which a model has nothing more to say.
constexpr std::string_view kEndMarkers[] = {
    "<｜end▁of▁sentence｜>",
    "<|EOT|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "<|return|>",
    "<|call|>",
    "<turn|>",
    "[EOS]",
    "[EOT]",
    "<EOT>",
    "▁<EOT>",
};

}  // namespace

std::unique_ptr<Tokenizer> make_bpe_tokenizer(TokenizerParts parts) { return std::make_unique<BpeTokenizer>(std::move(parts)); }

ByteTokens fallback_bytes(const Vocabulary& vocabulary) {
  ByteTokens tokens;
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kHex[] = "0123456789ABCDEF";
    const char name[] = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
    tokens[std::size_t(byte)] = vocabulary.find({name, sizeof name}).value_or(-1);
  }
  return tokens;
}

ByteTokens level_bytes(const Vocabulary& vocabulary) {
  ByteTokens tokens;
  for (int byte = 0; byte < 256; ++byte) {
    std::string symbol;
    append_utf8(byte_to_symbol(std::uint8_t(byte)), symbol);
    tokens[std::size_t(byte)] = vocabulary.find(symbol).value_or(-1);
  }
  return tokens;
}

bool append_level_bytes(std::string_view text, bool is_added, std::string& out) {
  const std::size_t start = out.size();
  if (!append_symbol_bytes(text, out)) return false;
  const bool is_text = !is_added || is_utf8(std::string_view(out).substr(start));
  if (!is_text) out.resize(start);
  return is_text;
}

bool merges_within_words(const Vocabulary& vocabulary) {
  if (!vocabulary.find(kSpaceSymbol)) return false;  // then it would be cut into bytes, or fused with other unknowns
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    std::string_view word = vocabulary.text(id);
    while (word.starts_with(kSpaceSymbol)) word.remove_prefix(kSpaceSymbol.size());
    if (word.find(kSpaceSymbol) != std::string_view::npos) return false;
  }
  return true;
}

std::vector<TokenId> find_stop_tokens(const Vocabulary& vocabulary, const std::vector<bool>& is_added,
                                      std::vector<TokenId> named) {
  for (std::string_view marker : kEndMarkers) {
    const auto id = vocabulary.find(marker);
    if (id && is_added[std::size_t(*id)]) named.push_back(*id);
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

}  // namespace fathom::text
