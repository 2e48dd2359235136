#include "text/control_tokens.hpp"

#include <algorithm>

#include "text/unicode.hpp"

namespace fathom::text {
namespace {

constexpr std::size_t kMaxMarkerBytes = 128;  // a longer token is not looked for in chat templates

// Reasoning and tool calls.
constexpr std::string_view kShownMarkers[] = {
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tool_calls>",
    "</tool_calls>",
    "<arg_key>",
    "</arg_key>",
    "<arg_value>",
    "</arg_value>",
    "<seed:think>",
    "</seed:think>",
    "<seed:tool_call>",
    "</seed:tool_call>",
    "｜DSML｜",
    "<dsml:",
    "<minimax:tool_call>",
    "</minimax:tool_call>",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CONTENT]",
    "[/TOOL_CONTENT]",
    "[ARGS]",
    "[CALL_ID]",
    "[THINK]",
    "[/THINK]",
    "<|python_tag|>",
    "<|think|>",
    "<|tool>",
    "<tool|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|tool_response>",
    "<tool_response|>",
    "<|channel>",
    "<channel|>",
    "<|\"|>",
};

// Turns: what begins them, who speaks, what ends them.
constexpr std::string_view kMarkers[] = {
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|EOT|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|im_sep|>",
    "<|im_user|>",
    "<|im_assistant|>",
    "<|im_system|>",
    "<|im_middle|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|channel|>",
    "<|constrain|>",
    "<|return|>",
    "<|call|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|header_start|>",
    "<|header_end|>",
    "<|eot|>",
    "<|eom|>",
    "<|turn>",
    "<turn|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[MODEL_SETTINGS]",
    "[/MODEL_SETTINGS]",
    "<<SYS>>",
    "<</SYS>>",
    "[gMASK]",
    "<sop>",
    "<eop>",
    "<seed:bos>",
    "<seed:eos>",
    "]~b]",
    "]~!b[",
    "[e~[",
};

// Prompts to fill in the middle.
constexpr std::string_view kFillMarkers[] = {
    "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<fim-prefix>", "<fim-middle>",
    "<fim-suffix>", "<fim-pad>",    "▁<PRE>",       "▁<MID>",    "▁<SUF>",       "▁<EOT>",
};

template <std::size_t n>
bool is_in(const std::string_view (&list)[n], std::string_view text) noexcept {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

// The text between `open` and `close`; empty when they are not there, or when white space lies between them.
std::string_view name_between(std::string_view text, std::string_view open, std::string_view close) noexcept {
  if (text.size() <= open.size() + close.size() || !text.starts_with(open) || !text.ends_with(close)) return {};
  text = text.substr(open.size(), text.size() - open.size() - close.size());
  return text.find_first_of(" \t\r\n") == std::string_view::npos ? text : std::string_view();
}

bool has_letter(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  });
}

// DeepSeek's markers share a shape, and which of them a release has differs. Three of them are for filling in the middle.
bool is_deepseek_marker(std::string_view text) noexcept {
  const std::string_view name = name_between(text, "<｜", "｜>");
  return !name.empty() && !name.starts_with("fim▁");
}

// What a template holds by chance.
bool is_too_common(std::string_view text) noexcept {
  if (utf8_length(text[0]) == text.size()) return true;
  for (; !text.empty(); text.remove_prefix(utf8_length(text[0]))) {
    if (!is_white_space(first_code_point(text))) return false;
  }
  return true;
}

// Most words of a vocabulary are told from markers by their first byte.
bool may_be_marker(std::string_view text) noexcept {
  return text.size() > 2 && (text[0] == '<' || text[0] == '[' || text[0] == ']' || static_cast<unsigned char>(text[0]) >= 0x80);
}

}  // namespace

Spelling spelling_of(std::string_view content) noexcept {
  if (!may_be_marker(content)) return Spelling::ordinary;
  if (is_in(kShownMarkers, content)) return Spelling::shown_marker;
  return is_in(kMarkers, content) || is_deepseek_marker(content) ? Spelling::marker : Spelling::ordinary;
}

Spelling spelling_of_word(std::string_view content, bool begins_or_ends) noexcept {
  if (!may_be_marker(content)) return Spelling::ordinary;
  if (const Spelling spelling = spelling_of(content); spelling != Spelling::ordinary) return spelling;
  const bool is_barred = has_letter(name_between(content, "<|", "|>")) || !name_between(content, "<｜", "｜>").empty();
  if (is_barred || is_in(kFillMarkers, content)) return Spelling::marker;
  const bool is_bracketed = has_letter(name_between(content, "<", ">")) || has_letter(name_between(content, "[", "]"));
  return begins_or_ends && is_bracketed ? Spelling::marker : Spelling::ordinary;
}

void mark_control(std::span<AddedToken> tokens, std::span<const std::string_view> chat_templates) {
  AddedTokens looked_for;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    AddedToken& token = tokens[i];
    if (spelling_of(token.content) != Spelling::ordinary) token.control = true;
    if (token.control || token.content.size() > kMaxMarkerBytes || is_too_common(token.content)) continue;
    if (looked_for.add({.id = token.id, .content = token.content})) places.push_back(i);
  }
  std::vector<bool> found(places.size(), false);
  for (std::string_view source : chat_templates) looked_for.find_all(source, found);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (found[i]) tokens[places[i]].control = true;
  }
}

}  // namespace fathom::text
