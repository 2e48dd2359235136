// Control tokens steer a model: they begin and end turns, open its reasoning, frame tool calls. Text that a user types must
// never become one of them. All other added tokens are vocabulary and are found in every text.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "text/added_tokens.hpp"

namespace fathom::text {

enum class Spelling {
  ordinary,
  marker,        // <|im_end|>, <｜User｜>: frames a turn
  shown_marker,  // <think>, <tool_call>: a control token whose text belongs to the answer
};

// Whether a chat format, a tool-call syntax or reasoning uses an added token of this text.
Spelling spelling_of(std::string_view content) noexcept;

// The same for a token that its file calls an ordinary word, by mistake perhaps: every text that no word has is a marker.
// `begins_or_ends`: the file names the token as its begin or end token.
Spelling spelling_of_word(std::string_view content, bool begins_or_ends) noexcept;

// Sets AddedToken::control for those of `tokens` that a spelling gives away, and for those that stand in a chat template.
// A single character and white space stand in every template by chance and do not count.
void mark_control(std::span<AddedToken> tokens, std::span<const std::string_view> chat_templates);

}  // namespace fathom::text
