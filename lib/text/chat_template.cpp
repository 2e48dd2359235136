#include "text/chat_template.hpp"

#include <optional>

namespace fathom::text {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// A line end in the source of a template: as it is, or escaped in a string. 0 when there is none at the start of `text`.
std::size_t line_end_bytes(std::string_view text) { return text.starts_with('\n') ? 1 : text.starts_with("\\n") ? 2 : 0; }

// The text after `first` and a line end, up to `last`; nothing when the string literal it stands in ends before, as where a
// message's content follows.
std::optional<std::string> literal_between(std::string_view source, std::size_t first, std::string_view opening,
                                           std::string_view closing) {
  const char quote = first > 0 ? source[first - 1] : '\0';
  std::string_view rest = source.substr(first + opening.size());
  const std::size_t line_end = line_end_bytes(rest);
  if (line_end == 0) return std::nullopt;
  rest.remove_prefix(line_end);
  std::string literal;
  while (!rest.empty() && !rest.starts_with(closing)) {
    if (((quote == '\'' || quote == '"') && rest[0] == quote) || rest.starts_with("{{") || rest.starts_with("{%")) {
      return std::nullopt;
    }
    if (rest[0] == '\\' && rest.size() > 1) {
      literal.push_back(rest[1] == 'n' ? '\n' : rest[1] == 't' ? '\t' : rest[1]);
      rest.remove_prefix(2);
    } else {
      literal.push_back(rest[0]);
      rest.remove_prefix(1);
    }
  }
  return rest.empty() ? std::nullopt : std::optional(literal);
}

std::string default_system_of(std::string_view source) {
  constexpr std::string_view kOpening = "<|im_start|>system", kClosing = "<|im_end|>";
  for (std::size_t at = source.find(kOpening); at != std::string_view::npos; at = source.find(kOpening, at + 1)) {
    if (const auto literal = literal_between(source, at, kOpening, kClosing)) return *literal;
  }
  return {};
}

}  // namespace

ChatmlTraits read_chatml_traits(std::string_view source) {
  ChatmlTraits traits;
  traits.default_system = default_system_of(source);
  traits.drops_reasoning = contains(source, "'</think>'");
  traits.keeps_last_reasoning = traits.drops_reasoning && contains(source, "last_query_index");
  traits.thinking_switch = contains(source, "enable_thinking");
  traits.opens_thinking =
      contains(source, "<|im_start|>assistant\\n<think>\\n'") || contains(source, "<|im_start|>assistant\n<think>\n'");
  return traits;
}

ChatFormat recognize_chat_template(std::string_view source) {
  if (contains(source, "<|im_start|>")) return ChatFormat::chatml;
  if (contains(source, "<|start_header_id|>")) return ChatFormat::llama3;
  if (contains(source, "<｜Assistant｜>")) {
    if (contains(source, "｜DSML｜")) return ChatFormat::none;
    if (!contains(source, "</think>")) return ChatFormat::deepseek_v3;
    return contains(source, "thinking") ? ChatFormat::deepseek_v31 : ChatFormat::deepseek_r1;
  }
  if (contains(source, "User: ") && contains(source, "Assistant:")) return ChatFormat::deepseek_v2;
  return ChatFormat::none;
}

}  // namespace fathom::text
