// Cutting a normalised text into the pieces that the model merges each on its own.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex.hpp"

namespace fathom::text {

// What becomes of the matches of a pattern; the gaps between them are pieces in any case.
enum class SplitBehavior {
  isolated,              // each match is a piece
  removed,               // matches are dropped
  merged_with_previous,  // a match ends the piece before it
  merged_with_next,      // a match begins the piece behind it
  contiguous,            // neighbouring matches are one piece
};

// The pieces of one stretch, and room for the text of those that are no part of it.
struct Pieces {
  std::vector<std::string_view> spans;
  std::deque<std::string> owned;
  RegexScratch scratch;
  std::vector<Regex::Match> matches;
};

class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  // Appends the parts of `piece` to `out`; `at_text_start`: the piece begins the whole text.
  virtual void split(std::string_view piece, bool at_text_start, Pieces& pieces, std::vector<std::string_view>& out) const = 0;
};

// `invert`: the gaps count as matches and the matches as gaps.
std::unique_ptr<PreTokenizerStep> split_step(Regex pattern, SplitBehavior behavior, bool invert);

enum class Prefix { never, first, always };
// A space before pieces that do not begin with one.
std::unique_ptr<PreTokenizerStep> prefix_space_step();
// Spaces become `replacement`, which is also put in front; with `split`, each replacement begins a piece.
std::unique_ptr<PreTokenizerStep> metaspace_step(std::string replacement, Prefix prefix, bool split, std::string where);

// A cut before every `symbol` that does not follow another one. With a vocabulary none of whose tokens spans such a cut, it
// changes no ids: a text that is otherwise one piece falls into words, which are merged faster and often repeat.
std::unique_ptr<PreTokenizerStep> word_step(std::string symbol);

// Steps one after another, each on every piece of the one before. Immutable; any thread.
class PreTokenizer {
 public:
  void add(std::unique_ptr<PreTokenizerStep> step) { steps_.push_back(std::move(step)); }
  // Fills pieces.spans, which point into `text` and into pieces.owned.
  void split(std::string_view text, bool at_text_start, Pieces& pieces) const;

 private:
  std::vector<std::unique_ptr<PreTokenizerStep>> steps_;
};

}  // namespace fathom::text
