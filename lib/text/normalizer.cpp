#include "text/normalizer.hpp"

namespace fathom::text {
namespace {

std::size_t last_character_bytes(std::string_view text) {
  std::size_t bytes = 1;
  while ((static_cast<unsigned char>(text[text.size() - bytes]) & 0xC0) == 0x80) ++bytes;
  return bytes;
}

struct Apply {
  std::string_view text;
  RegexScratch& scratch;

  std::string operator()(const UnicodeForm& step) const { return normalize(text, step.form); }

  std::string operator()(const Prepend& step) const { return text.empty() ? std::string() : step.prefix + std::string(text); }

  std::string operator()(const ReplaceLiteral& step) const { return replace_all(text, step.from, step.to); }

  std::string operator()(const ReplaceRegex& step) const {
    std::vector<Regex::Match> matches;
    step.pattern.find_all(text, scratch, matches);
    std::string out;
    std::size_t end = 0;
    for (const Regex::Match& match : matches) {
      out.append(text.substr(end, match.begin - end)).append(step.to);
      end = match.end;
    }
    return out.append(text.substr(end));
  }

  std::string operator()(const StripSpace& step) const {
    std::string_view rest = text;
    while (step.left && !rest.empty() && is_white_space(first_code_point(rest))) rest.remove_prefix(utf8_length(rest[0]));
    while (step.right && !rest.empty() && is_white_space(last_code_point(rest))) rest.remove_suffix(last_character_bytes(rest));
    return std::string(rest);
  }
};

}  // namespace

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  std::size_t end = 0;
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, end)) {
    out.append(text.substr(end, at - end)).append(to);
    end = at + from.size();
  }
  return out.append(text.substr(end));
}

std::string Normalizer::apply(std::string_view text, RegexScratch& scratch) const {
  std::string current(text);
  for (const NormalizerStep& step : steps_) current = std::visit(Apply{current, scratch}, step);
  return current;
}

}  // namespace fathom::text
