#include "text/pretokenizer.hpp"

#include <algorithm>
#include <utility>

#include "text/normalizer.hpp"

namespace fathom::text {
namespace {

struct Part {
  std::size_t begin, end;
  bool is_match;
};

class Split final : public PreTokenizerStep {
 public:
  Split(Regex pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void split(std::string_view piece, bool, Pieces& pieces, std::vector<std::string_view>& out) const override {
    pattern_.find_all(piece, pieces.scratch, pieces.matches);
    if (behavior_ == SplitBehavior::isolated) return isolate(piece, pieces.matches, out);
    std::vector<Part> parts = cover(piece, pieces.matches);
    for (const Part& part : join(std::move(parts))) append(piece, part.begin, part.end, out);
  }

 private:
  static void append(std::string_view piece, std::size_t begin, std::size_t end, std::vector<std::string_view>& out) {
    if (begin < end) out.push_back(piece.substr(begin, end - begin));
  }

  static void isolate(std::string_view piece, const std::vector<Regex::Match>& matches, std::vector<std::string_view>& out) {
    std::size_t end = 0;
    for (const Regex::Match& match : matches) {
      append(piece, end, match.begin, out);
      append(piece, match.begin, match.end, out);
      end = match.end;
    }
    append(piece, end, piece.size(), out);
  }

  // Matches and gaps, in order.
  std::vector<Part> cover(std::string_view piece, const std::vector<Regex::Match>& matches) const {
    std::vector<Part> parts;
    std::size_t end = 0;
    for (const Regex::Match& match : matches) {
      if (end < match.begin) parts.push_back({end, match.begin, invert_});
      parts.push_back({match.begin, match.end, !invert_});
      end = match.end;
    }
    if (end < piece.size()) parts.push_back({end, piece.size(), invert_});
    return parts;
  }

  std::vector<Part> join(std::vector<Part> parts) const {
    switch (behavior_) {
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::removed:
        std::erase_if(parts, [](const Part& part) { return part.is_match; });
        break;
      case SplitBehavior::merged_with_previous:
        return join_if(parts, [](bool before, bool now) { return now && !before; });
      case SplitBehavior::merged_with_next:
        return join_if(parts, [](bool before, bool now) { return before && !now; });
      case SplitBehavior::contiguous:
        return join_if(parts, [](bool before, bool now) { return before == now; });
    }
    return parts;
  }

  // Glues a part to the one before it where `glue(is_match of the one before, is_match)`.
  template <typename Glue>
  static std::vector<Part> join_if(const std::vector<Part>& parts, Glue glue) {
    std::vector<Part> joined;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0 && glue(parts[i - 1].is_match, parts[i].is_match)) {
        joined.back().end = parts[i].end;
      } else {
        joined.push_back(parts[i]);
      }
    }
    return joined;
  }

  Regex pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class PrefixSpace final : public PreTokenizerStep {
 public:
  void split(std::string_view piece, bool, Pieces& pieces, std::vector<std::string_view>& out) const override {
    out.push_back(piece.starts_with(' ') ? piece : std::string_view(pieces.owned.emplace_back(1, ' ').append(piece)));
  }
};

class Metaspace final : public PreTokenizerStep {
 public:
  Metaspace(std::string replacement, Prefix prefix, bool split, std::string where)
      : replacement_(std::move(replacement)), prefix_(prefix) {
    if (split) split_ = split_step(Regex(escape_regex(replacement_), std::move(where)), SplitBehavior::merged_with_next, false);
  }

  void split(std::string_view piece, bool at_text_start, Pieces& pieces, std::vector<std::string_view>& out) const override {
    std::string& text = pieces.owned.emplace_back(replace_all(piece, " ", replacement_));
    const bool wants_prefix = prefix_ == Prefix::always || (prefix_ == Prefix::first && at_text_start);
    if (wants_prefix && !text.starts_with(replacement_)) text.insert(0, replacement_);
    if (split_) {
      split_->split(text, at_text_start, pieces, out);
    } else {
      out.push_back(text);
    }
  }

 private:
  std::string replacement_;
  Prefix prefix_;
  std::unique_ptr<PreTokenizerStep> split_;
};

class Words final : public PreTokenizerStep {
 public:
  explicit Words(std::string symbol) : symbol_(std::move(symbol)) {}

  void split(std::string_view piece, bool, Pieces&, std::vector<std::string_view>& out) const override {
    std::size_t begin = 0;
    std::size_t end_of_last = 0;  // where a symbol that stands here would follow another
    for (std::size_t at = piece.find(symbol_); at != std::string_view::npos; at = piece.find(symbol_, end_of_last)) {
      if (at > end_of_last) {
        out.push_back(piece.substr(begin, at - begin));
        begin = at;
      }
      end_of_last = at + symbol_.size();
    }
    out.push_back(piece.substr(begin));
  }

 private:
  std::string symbol_;
};

}  // namespace

std::unique_ptr<PreTokenizerStep> split_step(Regex pattern, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(pattern), behavior, invert);
}

std::unique_ptr<PreTokenizerStep> prefix_space_step() { return std::make_unique<PrefixSpace>(); }

std::unique_ptr<PreTokenizerStep> metaspace_step(std::string replacement, Prefix prefix, bool split, std::string where) {
  return std::make_unique<Metaspace>(std::move(replacement), prefix, split, std::move(where));
}

std::unique_ptr<PreTokenizerStep> word_step(std::string symbol) { return std::make_unique<Words>(std::move(symbol)); }

void PreTokenizer::split(std::string_view text, bool at_text_start, Pieces& pieces) const {
  pieces.spans.clear();
  if (!text.empty()) pieces.spans.push_back(text);
  std::vector<std::string_view> parts;
  for (const auto& step : steps_) {
    parts.clear();
    parts.reserve(pieces.spans.size());
    for (std::size_t i = 0; i < pieces.spans.size(); ++i) {
      step->split(pieces.spans[i], at_text_start && i == 0, pieces, parts);
    }
    pieces.spans.swap(parts);
  }
}

}  // namespace fathom::text
