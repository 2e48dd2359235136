#include "text/chat.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "text/chat_template.hpp"
#include "text/unicode.hpp"

namespace fathom::text {
namespace {

constexpr std::string_view kBegin = "<｜begin▁of▁sentence｜>";
constexpr std::string_view kEnd = "<｜end▁of▁sentence｜>";
constexpr std::string_view kUser = "<｜User｜>";
constexpr std::string_view kAssistant = "<｜Assistant｜>";
constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

struct FormatName {
  ChatFormat format;
  std::string_view name;
};
constexpr FormatName kFormats[] = {
    {ChatFormat::deepseek_v2, "deepseek-v2"}, {ChatFormat::deepseek_v3, "deepseek-v3"},
    {ChatFormat::deepseek_r1, "deepseek-r1"}, {ChatFormat::deepseek_v31, "deepseek-v31"},
    {ChatFormat::chatml, "chatml"},           {ChatFormat::llama3, "llama3"},
};

std::string built_in_names() {
  std::string names;
  for (const FormatName& known : kFormats) names.append(names.empty() ? "" : ", ").append(known.name);
  return names;
}

// A conversation in its format, before it is text or tokens.
class Script {
 public:
  enum class Kind {
    text,          // characters, whatever they spell
    marker,        // a token of the vocabulary
    known_marker,  // a token where the vocabulary has it, else characters
  };
  struct Part {
    Kind kind;
    std::string text;
  };

  Script& text(std::string_view text) { return add(Kind::text, text); }
  Script& marker(std::string_view text) { return add(Kind::marker, text); }
  Script& known_marker(std::string_view text) { return add(Kind::known_marker, text); }
  const std::vector<Part>& parts() const { return parts_; }

 private:
  Script& add(Kind kind, std::string_view text) {
    parts_.push_back({kind, std::string(text)});
    return *this;
  }
  std::vector<Part> parts_;
};

std::string_view strip_left(std::string_view text, char c) {
  return text.substr(std::min(text.find_first_not_of(c), text.size()));
}
std::string_view strip_right(std::string_view text, char c) { return text.substr(0, text.find_last_not_of(c) + 1); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_white_space(first_code_point(text))) text.remove_prefix(utf8_length(text[0]));
  while (!text.empty() && is_white_space(last_code_point(text))) {
    while ((static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.remove_suffix(1);
    text.remove_suffix(1);
  }
  return text;
}

// What follows the last </think>: an answer without its reasoning.
std::string_view without_reasoning(std::string_view content) {
  const std::size_t at = content.rfind(kThinkEnd);
  return at == std::string_view::npos ? content : content.substr(at + kThinkEnd.size());
}

// "User: ...": turns are told apart by plain words.
void write_deepseek_v2(std::span<const Message> messages, const ChatOptions& options, Script& script) {
  script.marker(kBegin);
  for (const Message& message : messages) {
    switch (message.role) {
      case Role::system:
        script.text(message.content).text("\n\n");
        break;
      case Role::user:
        script.text("User: ").text(message.content).text("\n\n");
        break;
      case Role::assistant:
        script.text("Assistant: ").text(message.content).marker(kEnd);
        break;
    }
  }
  if (options.add_generation_prompt) script.text("Assistant:");
}

void write_deepseek_opening(std::span<const Message> messages, Script& script) {
  script.marker(kBegin);
  std::string_view separator;
  for (const Message& message : messages) {
    if (message.role != Role::system) continue;
    script.text(separator).text(message.content);
    separator = "\n\n";
  }
}

// V3, R1 and V3.1 differ in what they do with reasoning.
void write_deepseek(ChatFormat format, std::span<const Message> messages, const ChatOptions& options, Script& script) {
  const bool v31 = format == ChatFormat::deepseek_v31;
  write_deepseek_opening(messages, script);
  bool after_user = false;
  for (const Message& message : messages) {
    if (message.role == Role::user) {
      script.marker(kUser).text(message.content);
      after_user = true;
    } else if (message.role == Role::assistant) {
      if (!v31) {
        script.marker(kAssistant);
      } else if (after_user) {
        script.marker(kAssistant).known_marker(kThinkEnd);
      }
      const bool keeps_all = format == ChatFormat::deepseek_v3;
      script.text(keeps_all ? std::string_view(message.content) : without_reasoning(message.content)).marker(kEnd);
      after_user = false;
    }
  }
  if (!options.add_generation_prompt) return;
  script.marker(kAssistant);
  if (format == ChatFormat::deepseek_r1) script.known_marker(kThink).text("\n");
  if (v31) script.known_marker(options.thinking ? kThink : kThinkEnd);
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
  }
  return "";
}

// A tool's answer that a host put into a user message is no question.
bool is_question(const Message& message) {
  const std::string_view content = message.content;
  return message.role == Role::user && !(content.starts_with("<tool_response>") && content.ends_with("</tool_response>"));
}

void write_chatml_answer(const Message& message, bool behind_last_question, bool is_last, const ChatmlTraits& traits,
                         Script& script) {
  const std::string_view content = message.content;
  if (!traits.drops_reasoning || content.find(kThinkEnd) == std::string_view::npos) {
    if (traits.keeps_last_reasoning && behind_last_question && is_last) {
      script.known_marker(kThink).text("\n\n").known_marker(kThinkEnd).text("\n\n").text(strip_left(content, '\n'));
    } else {
      script.text(content);
    }
    return;
  }
  const std::string_view answer = strip_left(without_reasoning(content), '\n');
  std::string_view reasoning = content.substr(0, content.find(kThinkEnd));
  if (const std::size_t at = reasoning.rfind(kThink); at != std::string_view::npos) reasoning.remove_prefix(at + kThink.size());
  reasoning = strip_left(strip_right(reasoning, '\n'), '\n');
  if (traits.keeps_last_reasoning && behind_last_question && (is_last || !reasoning.empty())) {
    script.known_marker(kThink).text("\n").text(reasoning).text("\n").known_marker(kThinkEnd).text("\n\n");
  }
  script.text(answer);
}

void write_chatml(const ChatmlTraits& traits, std::span<const Message> messages, const ChatOptions& options, Script& script) {
  const auto turn = [&](std::string_view role) { script.marker("<|im_start|>").text(role).text("\n"); };
  if (!messages.empty() && messages[0].role != Role::system && !traits.default_system.empty()) {
    turn("system");
    script.text(traits.default_system).marker("<|im_end|>").text("\n");
  }
  std::size_t last_question = messages.empty() ? 0 : messages.size() - 1;
  for (std::size_t i = messages.size(); i-- > 0;) {
    if (is_question(messages[i])) {
      last_question = i;
      break;
    }
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    turn(role_name(messages[i].role));
    if (messages[i].role == Role::assistant) {
      write_chatml_answer(messages[i], i > last_question, i + 1 == messages.size(), traits, script);
    } else {
      script.text(messages[i].content);
    }
    script.marker("<|im_end|>").text("\n");
  }
  if (!options.add_generation_prompt) return;
  turn("assistant");
  if (traits.thinking_switch && !options.thinking) {
    script.known_marker(kThink).text("\n\n").known_marker(kThinkEnd).text("\n\n");
  } else if (traits.opens_thinking) {
    script.known_marker(kThink).text("\n");
  }
}

void write_llama3(std::span<const Message> messages, const ChatOptions& options, Script& script) {
  const auto turn = [&](std::string_view role) {
    script.marker("<|start_header_id|>").text(role).marker("<|end_header_id|>").text("\n\n");
  };
  script.marker("<|begin_of_text|>");
  for (const Message& message : messages) {
    turn(role_name(message.role));
    script.text(trim(message.content)).marker("<|eot_id|>");
  }
  if (options.add_generation_prompt) turn("assistant");
}

Script write(ChatFormat format, const Tokenizer& tokenizer, std::span<const Message> given, const ChatOptions& options) {
  std::vector<Message> messages;
  for (const Message& message : given) {
    messages.push_back({message.role, {}});
    append_valid_utf8(message.content, messages.back().content);
  }
  Script script;
  switch (format) {
    case ChatFormat::none:
      fail(Status::unsupported, "no chat format was given and the model's is not recognised; the built-in formats are {}",
           built_in_names());
    case ChatFormat::deepseek_v2:
      write_deepseek_v2(messages, options, script);
      break;
    case ChatFormat::deepseek_v3:
    case ChatFormat::deepseek_r1:
    case ChatFormat::deepseek_v31:
      write_deepseek(format, messages, options, script);
      break;
    case ChatFormat::chatml:
      write_chatml(read_chatml_traits(tokenizer.chat_template()), messages, options, script);
      break;
    case ChatFormat::llama3:
      write_llama3(messages, options, script);
      break;
  }
  return script;
}

// The token that `marker` is written as, if the vocabulary has one. A single token is not enough: a vocabulary may know one
// letter of it and lose the rest, or take it for an unknown word.
std::optional<TokenId> marker_token(const Tokenizer& tokenizer, std::string_view marker) {
  const std::optional<TokenId> named = tokenizer.find(marker);
  return named && tokenizer.encode(marker, {.parse_special = true}) == std::vector{*named} ? named : std::nullopt;
}

}  // namespace

std::string_view chat_format_name(ChatFormat format) noexcept {
  for (const FormatName& known : kFormats) {
    if (known.format == format) return known.name;
  }
  return "none";
}

ChatFormat parse_chat_format(std::string_view name) {
  for (const FormatName& known : kFormats) {
    if (known.name == name) return known.format;
  }
  fail(Status::invalid_argument, "'{}' is no chat format; the built-in formats are {}", name, built_in_names());
}

ChatFormat detect_chat_format(const Tokenizer& tokenizer) {
  const std::string_view source = tokenizer.chat_template();
  if (!source.empty()) return recognize_chat_template(source);
  // Without a template, the markers tell, as far as only one format uses them. V3 and R1 share all of theirs.
  const auto has = [&](std::string_view marker) { return marker_token(tokenizer, marker).has_value(); };
  if (has("<|start_header_id|>") && has("<|end_header_id|>") && has("<|eot_id|>")) return ChatFormat::llama3;
  if (has("<|im_start|>") && has("<|im_end|>")) return ChatFormat::chatml;
  if (has(kUser) && has(kAssistant) && has(kThink) && !has("｜DSML｜")) return ChatFormat::deepseek_v31;
  return ChatFormat::none;
}

std::string render_chat(ChatFormat format, const Tokenizer& tokenizer, std::span<const Message> messages,
                        const ChatOptions& options) {
  std::string rendered;
  const Script script = write(format, tokenizer, messages, options);
  for (const Script::Part& part : script.parts()) rendered += part.text;
  return rendered;
}

std::vector<TokenId> encode_chat(ChatFormat format, const Tokenizer& tokenizer, std::span<const Message> messages,
                                 const ChatOptions& options) {
  std::vector<TokenId> ids;
  std::string text;  // between two markers, encoded as one
  const auto encode_text = [&] {
    const std::vector<TokenId> encoded = tokenizer.encode(text);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    text.clear();
  };
  const Script script = write(format, tokenizer, messages, options);
  for (const Script::Part& part : script.parts()) {
    const auto token = part.kind == Script::Kind::text ? std::nullopt : marker_token(tokenizer, part.text);
    if (token) {
      encode_text();
      ids.push_back(*token);
    } else if (part.kind == Script::Kind::marker) {
      fail(Status::invalid_argument, "the chat format {} needs the token '{}', which this vocabulary does not have",
           chat_format_name(format), part.text);
    } else {
      text += part.text;
    }
  }
  encode_text();
  return ids;
}

std::vector<TokenId> chat_stop_tokens(ChatFormat format, const Tokenizer& tokenizer) {
  std::string_view marker = kEnd;
  if (format == ChatFormat::none) return {};
  if (format == ChatFormat::chatml) marker = "<|im_end|>";
  if (format == ChatFormat::llama3) marker = "<|eot_id|>";
  const auto token = marker_token(tokenizer, marker);
  return token ? std::vector<TokenId>{*token} : std::vector<TokenId>{};
}

}  // namespace fathom::text
