// Tokens that are found in the text as they are written, before anything is split or merged: role markers, <s> and the like.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer.hpp"

namespace fathom::text {

struct AddedToken {
  TokenId id = 0;
  std::string content;       // what is searched for
  bool single_word = false;  // only where no word character is next to it
  bool lstrip = false;       // swallows white space to its left
  bool rstrip = false;       // and to its right
  bool control = false;      // stays text where a user typed it
};

enum class Find { all, vocabulary };  // all added tokens, or those that are no control tokens

// A stretch of text: one token, or text between tokens.
struct Stretch {
  std::string_view text;
  std::optional<TokenId> token;
};

// Leftmost match, longest at equal start. Immutable once built; any thread.
class AddedTokens {
 public:
  // Contents are not empty; of equal ones the first counts. False when the content is there already.
  bool add(AddedToken token);
  bool finds(Find which) const noexcept { return which == Find::all ? !tokens_.empty() : has_vocabulary_; }

  // Appends the stretches of `text`, without empty ones. Nothing is looked for inside a control token that stays text.
  void split(std::string_view text, Find which, std::vector<Stretch>& out) const;

  // Sets found[i] where the content of the i-th token added stands in `text`, also inside that of another.
  void find_all(std::string_view text, std::vector<bool>& found) const;

 private:
  // Index into tokens_ of the longest content at the start of `text`.
  std::optional<std::size_t> longest_at(std::string_view text) const noexcept;

  std::vector<AddedToken> tokens_;
  bool has_vocabulary_ = false;  // one that is no control token
  // A trie: nodes are numbered, node 0 is the root, an edge is keyed by its node and byte.
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  std::vector<std::optional<std::size_t>> ends_ = {std::nullopt};  // by node: the token that ends there
  std::array<bool, 256> starts_{};                                 // bytes some content starts with
};

}  // namespace fathom::text
