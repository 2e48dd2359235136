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
  // Recognise special tokens (role markers, <s>, ...) written in the text. Leave it off for text from end users.
  bool parse_special = false;
  // Add the tokens that the checkpoint puts around a text, usually the begin token.
  bool add_special = false;
};

// A shared handle of an immutable tokenizer. Any thread.
class Tokenizer {
 public:
  // Opens a folder with tokenizer.json, which needs no weights, or a GGUF file. Throws Error.
  static Tokenizer open(const Runtime& runtime, const std::string& path);

  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;
  std::string decode(std::span<const TokenId> ids, bool skip_special = true) const;
  std::int64_t vocab_size() const noexcept;
  // The token with exactly this text, also a special one.
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
