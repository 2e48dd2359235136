// Text to token ids and back, as the checkpoint's own tokenizer does it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/value.hpp"

namespace fathom::text {

using TokenId = std::int32_t;

struct EncodeOptions {
  // Recognise control tokens (role markers, <s>, <think>, ...) written in the text. Off for text that comes from end users: a
  // typed marker stays ordinary characters there. Added tokens that are no control tokens are recognised in every text.
  bool parse_special = false;
  // Put in front (and behind) what the checkpoint asks for: its post-processor's template, or bos_token where
  // add_bos_token is true.
  bool add_special = false;
};

// Immutable; any thread.
class Tokenizer {
 public:
  // tokenizer.json and tokenizer_config.json (the latter may be null). `origin` names the folder in errors.
  static std::unique_ptr<Tokenizer> from_huggingface(const io::Value& tokenizer, const io::Value& tokenizer_config,
                                                     std::string_view origin);
  // The tokenizer.ggml.* keys.
  static std::unique_ptr<Tokenizer> from_gguf(const io::Value& metadata, std::string_view origin);

  virtual ~Tokenizer() = default;

  // `text` is UTF-8; bytes that are not become U+FFFD first.
  virtual std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const = 0;

  // Ids outside the vocabulary decode to nothing. Byte sequences that are not UTF-8 become U+FFFD.
  virtual std::string decode(std::span<const TokenId> ids, bool skip_special = false) const = 0;

  // What one token contributes to the byte stream, before invalid UTF-8 is replaced and before a decoder strips a leading
  // space; the streaming decoder is built on it. Special tokens give their text. Any thread; no allocation when `out` has room.
  virtual void append_bytes(TokenId id, std::string& out) const = 0;
  // The decoder removes one leading space of the whole text (Llama 2, Mistral).
  virtual bool strips_leading_space() const noexcept = 0;
  // With byte fallback, each byte of a run that is not UTF-8 as a whole becomes one U+FFFD; else one for each maximal
  // invalid part.
  virtual bool replaces_each_byte() const noexcept = 0;
  // A token of byte fallback: <0x0A>. Only their runs can be anything but UTF-8 where replaces_each_byte().
  virtual bool is_byte(TokenId) const noexcept { return false; }

  virtual std::int64_t vocab_size() const noexcept = 0;                     // largest id + 1
  virtual bool is_special(TokenId id) const noexcept = 0;                   // control tokens: hidden by skip_special
  virtual std::optional<TokenId> find(std::string_view content) const = 0;  // a token by its exact text (added tokens first)
  virtual std::optional<TokenId> bos() const noexcept = 0;
  virtual std::optional<TokenId> eos() const noexcept = 0;
  // eos and every other known end-of-turn marker of the vocabulary.
  virtual std::span<const TokenId> stop_tokens() const noexcept = 0;
  virtual bool adds_bos() const noexcept = 0;
  // The Jinja source the checkpoint carries; empty when it carries none. Read for recognising the format, never executed.
  virtual std::string_view chat_template() const noexcept = 0;
};

}  // namespace fathom::text
