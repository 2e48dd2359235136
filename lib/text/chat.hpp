// Conversations to tokens, in the format a model was trained with. Content is encoded as plain text: a control token typed
// by a user stays characters.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.hpp"

namespace fathom::text {

enum class Role { system, user, assistant };

struct Message {
  Role role = Role::user;
  std::string content;
};

enum class ChatFormat {
  none,
  deepseek_v2,   // DeepSeek LLM chat, V2: "User: ...\n\nAssistant: ..."
  deepseek_v3,   // V2.5, V3, V3-0324: <｜User｜> <｜Assistant｜>
  deepseek_r1,   // R1, its distillations: as V3, the answer opens with <think>\n
  deepseek_v31,  // V3.1: <think> or </think> after <｜Assistant｜>
  chatml,        // Qwen2, Qwen3, SmolLM2; particulars, as a default system message, are read from the template
  llama3,
};

struct ChatOptions {
  // V3.1: open the answer with <think>. Qwen3: leave it open; off, its reasoning is an empty block. R1 always thinks.
  bool thinking = false;
  bool add_generation_prompt = true;
};

std::string_view chat_format_name(ChatFormat format) noexcept;
// "deepseek-v2", "deepseek-v3", ... Throws Error{invalid_argument} listing the names.
ChatFormat parse_chat_format(std::string_view name);

// Which format this tokenizer's model speaks, judged by its chat template and its special tokens; `none` when unsure.
ChatFormat detect_chat_format(const Tokenizer& tokenizer);

// The text of the conversation as the published templates render it (for tests and inspection).
std::string render_chat(ChatFormat format, const Tokenizer& tokenizer, std::span<const Message> messages,
                        const ChatOptions& options);
// The same as token ids: markers as single ids, contents as plain text. Throws Error{unsupported} for `none`, naming the
// built-in formats, and Error{invalid_argument} when the vocabulary lacks a marker.
std::vector<TokenId> encode_chat(ChatFormat format, const Tokenizer& tokenizer, std::span<const Message> messages,
                                 const ChatOptions& options);
// The token ids or strings that end a turn in this format, beside the tokenizer's own stop tokens.
std::vector<TokenId> chat_stop_tokens(ChatFormat format, const Tokenizer& tokenizer);

}  // namespace fathom::text
