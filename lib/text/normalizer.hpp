// What is done to a text before it is split: a sequence of normalisation forms, replacements and prefixes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/regex.hpp"
#include "text/unicode.hpp"

namespace fathom::text {

struct UnicodeForm {
  NormalizationForm form;
};
// In front of every stretch that is not empty.
struct Prepend {
  std::string prefix;
};
struct ReplaceLiteral {
  std::string from;  // not empty
  std::string to;
};
struct ReplaceRegex {
  Regex pattern;
  std::string to;
};
struct StripSpace {
  bool left, right;
};
using NormalizerStep = std::variant<UnicodeForm, Prepend, ReplaceLiteral, ReplaceRegex, StripSpace>;

std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// Immutable; any thread.
class Normalizer {
 public:
  void add(NormalizerStep step) { steps_.push_back(std::move(step)); }
  bool empty() const noexcept { return steps_.empty(); }

  // `text` is UTF-8.
  std::string apply(std::string_view text, RegexScratch& scratch) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace fathom::text
