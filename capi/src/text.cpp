// fathom_encode, fathom_decode, fathom_find_token, fathom_encode_chat
#include "buffers.hpp"
#include "fathom/chat.hpp"
#include "fathom/tokenizer.hpp"
#include "objects.hpp"
#include "structs.hpp"

namespace {

void require_flags(uint32_t flags, uint32_t known) {
  if ((flags & ~known) != 0) capi::fail(FATHOM_UNSUPPORTED, "flags has a bit set that this library does not know");
}

std::vector<fathom::ChatMessage> read_messages(const fathom_message* messages, size_t count) {
  std::vector<fathom::ChatMessage> read;
  for (const fathom_message& message : capi::read_array(messages, count, "messages")) {
    read.push_back({std::string(capi::read_string(message.role, message.role_size, "a message's role")),
                    std::string(capi::read_string(message.content, message.content_size, "a message's content"))});
  }
  return read;
}

}  // namespace

int32_t fathom_encode(const fathom_model* model, const char* text, size_t text_size, uint32_t flags, int32_t* tokens,
                      size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    require_flags(flags, FATHOM_ENCODE_PARSE_SPECIAL | FATHOM_ENCODE_ADD_SPECIAL);
    fathom::EncodeOptions options;
    options.parse_special = (flags & FATHOM_ENCODE_PARSE_SPECIAL) != 0;
    options.add_special = (flags & FATHOM_ENCODE_ADD_SPECIAL) != 0;
    const std::string_view input = capi::read_string(text, text_size, "text");
    capi::write_array(used->tokenizer().encode(input, options), tokens, capacity, needed);
  });
}

int32_t fathom_decode(const fathom_model* model, const int32_t* tokens, size_t token_count, uint32_t flags, char* text,
                      size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    require_flags(flags, FATHOM_DECODE_KEEP_SPECIAL);
    const bool skip_special = (flags & FATHOM_DECODE_KEEP_SPECIAL) == 0;
    const auto ids = capi::read_array(tokens, token_count, "tokens");
    capi::write_array(used->tokenizer().decode(ids, skip_special), text, capacity, needed);
  });
}

int32_t fathom_find_token(const fathom_model* model, const char* text, size_t text_size, int32_t* token) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    capi::require(token != nullptr, "token is NULL");
    const std::string_view content = capi::read_string(text, text_size, "text");
    const auto found = used->tokenizer().find(content);
    if (!found) capi::fail(FATHOM_NOT_FOUND, "no token is written '" + std::string(content) + "'");
    *token = *found;
  });
}

int32_t fathom_encode_chat(const fathom_model* model, const fathom_message* messages, size_t message_count,
                           const fathom_chat_options* options, int32_t* tokens, size_t capacity, size_t* needed) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    const auto given = capi::read_options(options, "fathom_chat_options");
    capi::require_reserved(given.reserved, "fathom_chat_options.reserved");
    fathom::ChatOptions wanted;
    wanted.format = capi::read_string(given.format, given.format_size, "format");
    wanted.thinking = capi::read_flag(given.thinking, "fathom_chat_options.thinking");
    wanted.add_generation_prompt = !capi::read_flag(given.no_generation_prompt, "fathom_chat_options.no_generation_prompt");
    const auto conversation = read_messages(messages, message_count);
    capi::write_array(fathom::encode_chat(used->tokenizer(), conversation, wanted), tokens, capacity, needed);
  });
}
