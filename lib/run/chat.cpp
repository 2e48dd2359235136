#include "fathom/chat.hpp"

#include "base/error.hpp"
#include "run/tokenizer_impl.hpp"
#include "text/chat.hpp"

namespace fathom {
namespace {

using text::ChatFormat;

constexpr ChatFormat kFormats[] = {ChatFormat::deepseek_v2,  ChatFormat::deepseek_v3, ChatFormat::deepseek_r1,
                                   ChatFormat::deepseek_v31, ChatFormat::chatml,      ChatFormat::llama3};

text::Role parse_role(const std::string& role) {
  if (role == "system") return text::Role::system;
  if (role == "user") return text::Role::user;
  if (role == "assistant") return text::Role::assistant;
  fail(Status::invalid_argument, "role '{}' is not one of system, user, assistant", role);
}

}  // namespace

std::vector<std::string> chat_formats() {
  std::vector<std::string> names;
  for (ChatFormat format : kFormats) names.emplace_back(text::chat_format_name(format));
  return names;
}

std::string chat_format(const Tokenizer& tokenizer) {
  const ChatFormat format = text::detect_chat_format(*tokenizer.impl()->tokenizer);
  return format == ChatFormat::none ? std::string() : std::string(text::chat_format_name(format));
}

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, std::span<const ChatMessage> messages,
                                 const ChatOptions& options) {
  const text::Tokenizer& inner = *tokenizer.impl()->tokenizer;
  const ChatFormat format = options.format.empty() ? text::detect_chat_format(inner) : text::parse_chat_format(options.format);
  std::vector<text::Message> turns;
  for (const ChatMessage& message : messages) turns.push_back({parse_role(message.role), message.content});
  return text::encode_chat(format, inner, turns, {options.thinking, options.add_generation_prompt});
}

}  // namespace fathom
