#include "text/added_tokens.hpp"

#include <algorithm>
#include <utility>

#include "text/unicode.hpp"

namespace fathom::text {
namespace {

std::uint64_t edge(std::uint32_t node, char byte) { return std::uint64_t(node) << 8 | static_cast<std::uint8_t>(byte); }

bool is_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool word_before = begin > 0 && is_word(last_code_point(text.substr(0, begin)));
  const bool word_behind = end < text.size() && is_word(first_code_point(text.substr(end)));
  return !word_before && !word_behind;
}

std::size_t skip_space_left(std::string_view text, std::size_t begin, std::size_t limit) {
  while (begin > limit) {
    std::size_t start = begin - 1;
    while (start > limit && (static_cast<std::uint8_t>(text[start]) & 0xC0) == 0x80) --start;
    if (!is_white_space(first_code_point(text.substr(start)))) break;
    begin = start;
  }
  return begin;
}

std::size_t skip_space_right(std::string_view text, std::size_t end) {
  while (end < text.size() && is_white_space(first_code_point(text.substr(end)))) end += utf8_length(text[end]);
  return end;
}

}  // namespace

bool AddedTokens::add(AddedToken token) {
  std::uint32_t node = 0;
  for (char byte : token.content) {
    const auto [found, added] = edges_.try_emplace(edge(node, byte), std::uint32_t(ends_.size()));
    if (added) ends_.emplace_back();
    node = found->second;
  }
  if (ends_[node]) return false;
  starts_[static_cast<std::uint8_t>(token.content[0])] = true;
  ends_[node] = tokens_.size();
  has_vocabulary_ |= !token.control;
  tokens_.push_back(std::move(token));
  return true;
}

std::optional<std::size_t> AddedTokens::longest_at(std::string_view text) const noexcept {
  std::optional<std::size_t> longest;
  std::uint32_t node = 0;
  for (char byte : text) {
    const auto next = edges_.find(edge(node, byte));
    if (next == edges_.end()) break;
    node = next->second;
    if (ends_[node]) longest = ends_[node];
  }
  return longest;
}

void AddedTokens::find_all(std::string_view text, std::vector<bool>& found) const {
  for (; !text.empty(); text.remove_prefix(1)) {
    std::uint32_t node = 0;
    for (char byte : text) {
      const auto next = edges_.find(edge(node, byte));
      if (next == edges_.end()) break;
      node = next->second;
      if (ends_[node]) found[*ends_[node]] = true;
    }
  }
}

void AddedTokens::split(std::string_view text, Find which, std::vector<Stretch>& out) const {
  std::size_t taken = 0;  // the text before this is in `out`
  std::size_t at = 0;
  while (at < text.size() && finds(which)) {
    const auto found = starts_[static_cast<std::uint8_t>(text[at])] ? longest_at(text.substr(at)) : std::nullopt;
    if (!found) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[*found];
    std::size_t begin = at;
    std::size_t end = at + token.content.size();
    at = end;
    if (token.control && which == Find::vocabulary) continue;
    if (token.single_word && !is_alone(text, begin, end)) continue;
    if (token.lstrip) begin = skip_space_left(text, begin, taken);
    if (token.rstrip) at = end = skip_space_right(text, end);
    if (taken < begin) out.push_back({text.substr(taken, begin - taken), std::nullopt});
    out.push_back({text.substr(begin, end - begin), token.id});
    taken = end;
  }
  if (taken < text.size()) out.push_back({text.substr(taken), std::nullopt});
}

}  // namespace fathom::text
