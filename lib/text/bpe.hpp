// The models: from one piece of text to token ids. Ranked merges (GPT-2 and after) and merges by score (SentencePiece).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/merge_pairs.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"

namespace fathom::text {

// Pair of tokens -> rank and merged token. Open addressing: looked up several times a byte of text.
class MergeTable {
 public:
  explicit MergeTable(std::size_t count = 0);
  // At most `count` pairs, ids not negative. Of equal pairs the last counts.
  void add(TokenId left, TokenId right, std::uint32_t rank, TokenId merged);
  std::optional<Merge> find(TokenId left, TokenId right) const noexcept;

 private:
  struct Slot {
    std::uint64_t pair = UINT64_MAX;
    std::uint32_t rank = 0;
    TokenId merged = 0;
  };
  std::size_t slot_of(std::uint64_t pair) const noexcept;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

struct ModelScratch {
  std::vector<Symbol> symbols;
  MergeScratch merge;
  std::string text;
};

// Immutable; any thread.
class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of `piece`: UTF-8, not empty.
  virtual void encode(std::string_view piece, ModelScratch& scratch, std::vector<TokenId>& out) const = 0;
};

// Tokens for single bytes, -1 where there is none.
using ByteTokens = std::array<TokenId, 256>;

struct RankedBpe {
  MergeTable merges;
  bool byte_level = false;     // symbols are bytes, found in `bytes`; else characters, found in the vocabulary
  ByteTokens bytes;            // byte_level: the bytes' tokens; else the tokens a character falls back to
  bool byte_fallback = false;  // characters without a token become their bytes
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
  std::vector<bool> is_added;  // by id: not an answer to ignore_merges
  std::optional<TokenId> unknown;
  bool fuse_unknown = false;  // neighbouring unknowns are one
};
// The vocabulary must outlive the model.
std::unique_ptr<Model> ranked_bpe(RankedBpe rules, const Vocabulary& vocabulary);

struct ScoredBpe {
  std::vector<float> scores;    // by id; merging prefers the highest
  std::vector<bool> mergeable;  // by id: ordinary tokens, not control tokens, bytes and placeholders
  ByteTokens bytes;
  std::optional<TokenId> unknown;
};
std::unique_ptr<Model> scored_bpe(ScoredBpe rules, const Vocabulary& vocabulary);

}  // namespace fathom::text
