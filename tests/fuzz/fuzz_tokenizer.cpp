// Tokenizers: one JSON document with `huggingface` (tokenizer.json), `config`, `gguf` (metadata) and `text`.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "fathom/error.hpp"
#include "fuzz/tensor_oracle.hpp"
#include "io/json.hpp"
#include "text/chat.hpp"
#include "text/tokenizer.hpp"
#include "text/unicode.hpp"
#include "text/utf8_stream.hpp"

namespace {

using fathom::fuzz::require;
using namespace fathom::text;

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Utf8Stream stream(tokenizer, false);
  std::string text;
  for (TokenId id : ids) {
    std::string piece;
    stream.push(id, piece);
    require(is_utf8(piece));
    text += piece;
  }
  stream.finish(text);
  return text;
}

void check_text(const Tokenizer& tokenizer, const std::string& text) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, {.parse_special = parse_special, .add_special = true});
    for (TokenId id : ids) require(id >= 0 && id < tokenizer.vocab_size());
    require(streamed(tokenizer, ids) == tokenizer.decode(ids));
    require(is_utf8(tokenizer.decode(ids, true)));
  }
}

void check_chat(const Tokenizer& tokenizer, const std::string& text) {
  const std::array messages = {Message{Role::user, text}, Message{Role::assistant, text}};
  const ChatFormat format = detect_chat_format(tokenizer);
  if (format == ChatFormat::none) return;
  require(is_utf8(render_chat(format, tokenizer, messages, {})));
  encode_chat(format, tokenizer, messages, {});
}

template <typename Load>
void check(const Load& load, const std::string& text) {
  try {
    const auto tokenizer = load();
    check_text(*tokenizer, text);
    check_chat(*tokenizer, text);
  } catch (const fathom::Error& error) {
    require(!error.message().empty() && error.status() != fathom::Status::internal);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fathom::io::Value document;
  try {
    document = fathom::io::parse_json({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const fathom::Error&) {
    return 0;  // fuzz_json's affair
  }
  // A short text: a pattern may take its full allowance of steps at every place.
  std::string text(document["text"].as_string().value_or("ab <s>\xFF"));
  text.resize(std::min<std::size_t>(text.size(), 32));
  check([&] { return Tokenizer::from_huggingface(document["huggingface"], document["config"], "input"); }, text);
  check([&] { return Tokenizer::from_gguf(document["gguf"], "input"); }, text);
  return 0;
}
