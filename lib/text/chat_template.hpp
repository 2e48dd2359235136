// What can be told about a chat format from the source of a checkpoint's Jinja template, without running it.
#pragma once

#include <string>
#include <string_view>

#include "text/chat.hpp"

namespace fathom::text {

// Particulars of a ChatML template.
struct ChatmlTraits {
  std::string default_system;         // put in front where the first message is no system message; may be empty
  bool drops_reasoning = false;       // an assistant's <think>...</think> is taken out of its content
  bool keeps_last_reasoning = false;  // and put back for answers behind the last question (Qwen3)
  bool thinking_switch = false;       // a prompt without thinking opens with an empty <think> block (Qwen3)
  bool opens_thinking = false;        // the prompt opens with <think> (QwQ)
};
ChatmlTraits read_chatml_traits(std::string_view chat_template);

// `none` when the template is none that the built-in formats speak.
ChatFormat recognize_chat_template(std::string_view chat_template);

}  // namespace fathom::text
