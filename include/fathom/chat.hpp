// Conversations, in the format the model was trained with.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fathom/tokenizer.hpp"

namespace fathom {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

struct ChatOptions {
  std::string format;                 // one of chat_formats(); empty: recognised from the checkpoint's template and tokens
  bool thinking = false;              // DeepSeek-V3.1: the answer begins with reasoning
  bool add_generation_prompt = true;  // end where the assistant's answer begins
};

// Names of the built-in formats.
std::vector<std::string> chat_formats();

// The built-in format of this tokenizer's model; empty when the model uses another one.
std::string chat_format(const Tokenizer& tokenizer);

// Token ids of a conversation. Contents are plain text: a control token typed by a user stays characters.
// Throws Error{unsupported} when the checkpoint uses no built-in format, and Error{invalid_argument} when `options.format`
// names none. Both messages list the names.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages,
                                 const ChatOptions& options = {});

}  // namespace fathom
