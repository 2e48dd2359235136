#include "text/vocabulary.hpp"

#include <functional>

#include "base/error.hpp"

namespace fathom::text {
namespace {

constexpr std::size_t kMaxTokenBytes = 1 << 20;
constexpr TokenId kFree = -1;

}  // namespace

bool Vocabulary::has(TokenId id) const noexcept {
  return id >= 0 && std::size_t(id) < entries_.size() && entries_[std::size_t(id)].used;
}

std::string_view Vocabulary::text(TokenId id) const noexcept {
  if (!has(id)) return {};
  const Entry& entry = entries_[std::size_t(id)];
  return std::string_view(texts_).substr(entry.offset, entry.bytes);
}

// The slot that holds `text`, or the free one where it belongs.
std::size_t Vocabulary::slot_of(std::string_view text) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>{}(text)&mask;
  while (slots_[slot] != kFree && this->text(slots_[slot]) != text) slot = (slot + 1) & mask;
  return slot;
}

std::optional<TokenId> Vocabulary::find(std::string_view text) const noexcept {
  if (slots_.empty()) return std::nullopt;
  const TokenId id = slots_[slot_of(text)];
  return id == kFree ? std::nullopt : std::optional(id);
}

void Vocabulary::grow() {
  std::vector<TokenId> old(slots_.empty() ? 1024 : slots_.size() * 2, kFree);
  old.swap(slots_);
  for (TokenId id : old) {
    if (id != kFree) slots_[slot_of(text(id))] = id;
  }
}

void Vocabulary::add_unnamed(TokenId id, std::string_view text, std::string_view where) {
  if (id < 0 || id > kMaxTokenId) {
    fail(Status::corrupt_file, "{}: token id {}, expected 0 to {}", where, id, kMaxTokenId);
  }
  if (text.size() > kMaxTokenBytes) {
    fail(Status::corrupt_file, "{}: a token of {} bytes, expected at most {}", where, text.size(), kMaxTokenBytes);
  }
  if (has(id)) {
    fail(Status::corrupt_file, "{}: token id {} is given to '{}' and to '{}'", where, id, this->text(id), text);
  }
  if (std::size_t(id) >= entries_.size()) entries_.resize(std::size_t(id) + 1);
  entries_[std::size_t(id)] = {texts_.size(), std::uint32_t(text.size()), true};
  texts_ += text;
  ++count_;
}

void Vocabulary::add(TokenId id, std::string_view text, std::string_view where) {
  if (const auto other = find(text)) {
    fail(Status::corrupt_file, "{}: token '{}' has two ids, {} and {}", where, text, *other, id);
  }
  add_unnamed(id, text, where);
  if (slots_.size() < std::size_t(++named_) * 2) grow();
  slots_[slot_of(text)] = id;
}

}  // namespace fathom::text
