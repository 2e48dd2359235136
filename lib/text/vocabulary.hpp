// Token texts by id, and ids by text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.hpp"

namespace fathom::text {

inline constexpr TokenId kMaxTokenId = 16'777'216;

// Ids may have holes. Built once, then immutable.
class Vocabulary {
 public:
  // `where` names the entry in errors. Throws Error{corrupt_file} when the id is out of range or taken, or the text has an id.
  void add(TokenId id, std::string_view text, std::string_view where);
  // As `add`, but nothing finds the token by its text: a placeholder.
  void add_unnamed(TokenId id, std::string_view text, std::string_view where);

  std::optional<TokenId> find(std::string_view text) const noexcept;
  bool has(TokenId id) const noexcept;
  std::string_view text(TokenId id) const noexcept;  // empty for ids it does not have

  std::int64_t size() const noexcept { return std::int64_t(entries_.size()); }  // largest id + 1
  std::int64_t count() const noexcept { return count_; }

 private:
  struct Entry {
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
    bool used = false;
  };
  std::size_t slot_of(std::string_view text) const noexcept;
  void grow();

  std::string texts_;
  std::vector<Entry> entries_;
  std::vector<TokenId> slots_;  // open addressing by hash of the text, -1 free; a power of two, at most half full
  std::int64_t named_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace fathom::text
