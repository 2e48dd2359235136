#include "model/load/checkpoint_texts.hpp"

#include <fmt/format.h>

namespace fathom::model {
namespace {

using Texts = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kLongestText = std::size_t{1} << 20;

void collect(const std::string& key, const io::Value& value, Texts& out) {
  if (value.is_object()) {
    for (const auto& [name, member] : value.object()) collect(key.empty() ? name : key + "." + name, member, out);
  } else if (const auto text = value.as_string()) {
    if (text->size() <= kLongestText) out.emplace_back(key, *text);
  } else if (const auto flag = value.as_bool()) {
    out.emplace_back(key, *flag ? "true" : "false");
  } else if (const auto integer = value.as_int()) {
    out.emplace_back(key, fmt::format("{}", *integer));
  } else if (const auto number = value.as_double()) {
    out.emplace_back(key, fmt::format("{}", *number));
  }
}

}  // namespace

Texts collect_texts(const io::Checkpoint& checkpoint) {
  Texts texts;
  collect("", checkpoint.config, texts);
  const char* in_gguf = "tokenizer.chat_template";
  const io::Value& chat_template =
      checkpoint.config.has(in_gguf) ? checkpoint.config[in_gguf] : checkpoint.tokenizer_config["chat_template"];
  collect("chat_template", chat_template, texts);
  return texts;
}

}  // namespace fathom::model
