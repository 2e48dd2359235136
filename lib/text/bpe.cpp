#include "text/bpe.hpp"

#include <bit>

#include "text/byte_alphabet.hpp"
#include "text/unicode.hpp"

namespace fathom::text {
namespace {

std::uint64_t pair_of(TokenId left, TokenId right) { return std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right); }

class Ranked final : public Model {
 public:
  Ranked(RankedBpe rules, const Vocabulary& vocabulary) : rules_(std::move(rules)), vocabulary_(vocabulary) {}

  void encode(std::string_view piece, ModelScratch& scratch, std::vector<TokenId>& out) const override {
    if (rules_.ignore_merges) {
      if (const auto whole = whole_piece(piece, scratch)) {
        out.push_back(*whole);
        return;
      }
    }
    scratch.symbols.clear();
    if (rules_.byte_level) {
      start_from_bytes(piece, scratch.symbols);
    } else {
      start_from_characters(piece, scratch.symbols);
    }
    merge_pairs(scratch.symbols, scratch.merge,
                [this](const Symbol& left, const Symbol& right) { return rules_.merges.find(left.id, right.id); });
    for (const Symbol& symbol : scratch.symbols) out.push_back(symbol.id);
  }

 private:
  std::optional<TokenId> whole_piece(std::string_view piece, ModelScratch& scratch) const {
    if (rules_.byte_level) {
      scratch.text.clear();
      append_symbols(piece, scratch.text);
      piece = scratch.text;
    }
    const auto id = vocabulary_.find(piece);
    return id && !rules_.is_added[std::size_t(*id)] ? id : std::nullopt;
  }

  void start_from_bytes(std::string_view piece, std::vector<Symbol>& symbols) const {
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const TokenId id = rules_.bytes[static_cast<std::uint8_t>(piece[i])];
      if (id >= 0) {
        symbols.push_back({piece.substr(i, 1), id});
      } else {
        push_unknown(piece.substr(i, 1), symbols);
      }
    }
  }

  void start_from_characters(std::string_view piece, std::vector<Symbol>& symbols) const {
    for (std::size_t i = 0; i < piece.size(); i += utf8_length(piece[i])) {
      const std::string_view character = piece.substr(i, utf8_length(piece[i]));
      if (const auto id = vocabulary_.find(character)) {
        symbols.push_back({character, *id});
      } else if (!rules_.byte_fallback || !push_bytes(character, symbols)) {
        push_unknown(character, symbols);
      }
    }
  }

  bool push_bytes(std::string_view character, std::vector<Symbol>& symbols) const {
    for (char byte : character) {
      if (rules_.bytes[static_cast<std::uint8_t>(byte)] < 0) return false;
    }
    for (std::size_t i = 0; i < character.size(); ++i) {
      symbols.push_back({character.substr(i, 1), rules_.bytes[static_cast<std::uint8_t>(character[i])]});
    }
    return true;
  }

  // Without an unknown token the character is lost, and its neighbours are neighbours.
  void push_unknown(std::string_view character, std::vector<Symbol>& symbols) const {
    if (!rules_.unknown) return;
    const TokenId id = *rules_.unknown;
    if (rules_.fuse_unknown && !symbols.empty() && symbols.back().id == id) {
      join(symbols.back(), {character, id}, id);
    } else {
      symbols.push_back({character, id});
    }
  }

  RankedBpe rules_;
  const Vocabulary& vocabulary_;
};

class Scored final : public Model {
 public:
  Scored(ScoredBpe rules, const Vocabulary& vocabulary) : rules_(std::move(rules)), vocabulary_(vocabulary) {}

  void encode(std::string_view piece, ModelScratch& scratch, std::vector<TokenId>& out) const override {
    scratch.symbols.clear();
    for (std::size_t i = 0; i < piece.size(); i += utf8_length(piece[i])) {
      const std::string_view character = piece.substr(i, utf8_length(piece[i]));
      scratch.symbols.push_back({character, find(character).value_or(-1)});
    }
    merge_pairs(scratch.symbols, scratch.merge, [this](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
      const auto id = find({left.text.data(), left.text.size() + right.text.size()});
      if (!id) return std::nullopt;
      return Merge{-double(rules_.scores[std::size_t(*id)]), *id};
    });
    for (const Symbol& symbol : scratch.symbols) append(symbol, out);
  }

 private:
  std::optional<TokenId> find(std::string_view text) const {
    const auto id = vocabulary_.find(text);
    return id && rules_.mergeable[std::size_t(*id)] ? id : std::nullopt;
  }

  void append(const Symbol& symbol, std::vector<TokenId>& out) const {
    if (symbol.id >= 0) {
      out.push_back(symbol.id);
      return;
    }
    for (char c : symbol.text) {
      const TokenId byte = rules_.bytes[static_cast<std::uint8_t>(c)];
      if (byte >= 0) {
        out.push_back(byte);
      } else if (rules_.unknown) {
        out.push_back(*rules_.unknown);
      }
    }
  }

  ScoredBpe rules_;
  const Vocabulary& vocabulary_;
};

}  // namespace

MergeTable::MergeTable(std::size_t count) : slots_(std::bit_ceil(count * 2 + 2)) {}

std::size_t MergeTable::slot_of(std::uint64_t pair) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  // Fibonacci hashing: the product's upper half depends on every bit of the pair.
  std::size_t slot = std::size_t((pair ^ pair >> 32) * 0x9E3779B97F4A7C15u >> 32) & mask;
  while (slots_[slot].pair != pair && slots_[slot].pair != UINT64_MAX) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::add(TokenId left, TokenId right, std::uint32_t rank, TokenId merged) {
  const std::uint64_t pair = pair_of(left, right);
  slots_[slot_of(pair)] = {pair, rank, merged};
}

std::optional<Merge> MergeTable::find(TokenId left, TokenId right) const noexcept {
  const Slot& slot = slots_[slot_of(pair_of(left, right))];
  if (slot.pair == UINT64_MAX) return std::nullopt;
  return Merge{double(slot.rank), slot.merged};
}

std::unique_ptr<Model> ranked_bpe(RankedBpe rules, const Vocabulary& vocabulary) {
  return std::make_unique<Ranked>(std::move(rules), vocabulary);
}

std::unique_ptr<Model> scored_bpe(ScoredBpe rules, const Vocabulary& vocabulary) {
  return std::make_unique<Scored>(std::move(rules), vocabulary);
}

}  // namespace fathom::text
