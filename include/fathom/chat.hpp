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
  std::string format;                 // one of chat_formats(); empty: what the checkpoint's template and tokens say
  bool thinking = false;              // DeepSeek-V3.1: let the answer begin with reasoning
  bool add_generation_prompt = true;  // end where the assistant's answer begins
};

// Names of the built-in formats.
std::vector<std::string> chat_formats();

// The format this tokenizer's model speaks, empty when it is none of the built-in ones.
std::string chat_format(const Tokenizer& tokenizer);

// Token ids of a conversation. Contents are plain text: a control token typed by a user stays characters.
// Throws Error{unsupported} when the checkpoint speaks none of the built-in formats, and Error{invalid_argument} when
// `options.format` is none of their names; both name them.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages,
                                 const ChatOptions& options = {});

}  // namespace fathom
