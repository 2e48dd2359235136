// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/runtime.hpp"

namespace fathom {

using TokenId = std::int32_t;

struct EncodeOptions {
  // Recognise special tokens (role markers, <s>, ...) written in the text. Leave it off for text that comes from end users.
  bool parse_special = false;
  // Add what the checkpoint puts around a text, usually the begin token.
  bool add_special = false;
};

// A shared handle on an immutable tokenizer. Any thread.
class Tokenizer {
 public:
  // From a folder with tokenizer.json (weights are not needed) or a GGUF file.
  static Tokenizer open(const Runtime& runtime, const std::string& path);

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;
  std::string decode(std::span<const TokenId> ids, bool skip_special = true) const;
  std::int64_t vocab_size() const noexcept;
  std::optional<TokenId> find(std::string_view content) const;
  std::optional<TokenId> bos() const noexcept;
  std::optional<TokenId> eos() const noexcept;
  std::span<const TokenId> stop_tokens() const noexcept;  // eos and the end-of-turn markers

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<const Impl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace fathom
