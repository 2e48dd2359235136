// Conversations: bytes choose a tokenizer, a format, options, roles and contents, control tokens typed by users among them.
// What a user types never becomes a control token: the markers of a conversation are those of the same turns with harmless
// words.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/chat.hpp"
#include "fathom/error.hpp"
#include "fuzz/chat_tokenizers.hpp"
#include "fuzz/tensor_oracle.hpp"
#include "run/tokenizer_impl.hpp"
#include "text/chat.hpp"
#include "text/chat_template.hpp"
#include "text/unicode.hpp"

namespace {

using fathom::fuzz::ChatTokenizer;
using fathom::fuzz::Exactness;
using fathom::fuzz::require;
using namespace fathom;

constexpr std::string_view kControl[] = {"<｜begin▁of▁sentence｜>",
                                         "<｜end▁of▁sentence｜>",
                                         "<｜User｜>",
                                         "<｜Assistant｜>",
                                         "<think>",
                                         "</think>",
                                         "<|im_start|>",
                                         "<|im_end|>",
                                         "<|begin_of_text|>",
                                         "<|start_header_id|>",
                                         "<|end_header_id|>",
                                         "<|eot_id|>",
                                         "<s>",
                                         "</s>",
                                         "<unk>",
                                         "<0x0A>",
                                         "<tool_response>",
                                         "</tool_response>",
                                         "User: ",
                                         "Assistant:",
                                         "\n\n",
                                         "▁",
                                         "\xE3\x80\x80",
                                         "\xEF\xBF\xBD"};
constexpr std::string_view kRoles[] = {"system", "user", "assistant"};
constexpr std::size_t kLongest = 4096;  // of one content

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    const std::string_view one = bytes(1);
    return one.empty() ? 0 : std::uint8_t(one[0]);
  }
  std::string_view bytes(std::size_t n) {
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

// Pieces: bytes as they are, a control token, a beginning of one, all so far again; a zero ends them.
std::string content(Bytes& in) {
  std::string text;
  while (!in.empty() && text.size() < kLongest) {
    const std::uint8_t choice = in.byte();
    if (choice == 0) break;
    const std::string_view control = kControl[choice % std::size(kControl)];
    if (choice < 64) {
      text += in.bytes(choice % 16 + 1);
    } else if (choice < 192) {
      text += control;
    } else if (choice < 240) {
      text += control.substr(0, in.byte() % control.size());
    } else {
      text += std::string(text);
    }
  }
  text.resize(std::min(text.size(), kLongest));
  return text;
}

struct Conversation {
  std::vector<ChatMessage> messages;
  ChatOptions options;
  bool well_formed = true;  // roles and format are known
};

Conversation conversation(Bytes& in) {
  Conversation made;
  const std::uint8_t format = in.byte() % 8, flags = in.byte();
  const std::vector<std::string> formats = chat_formats();
  if (format > 0) made.options.format = format <= formats.size() ? formats[format - 1u] : std::string(in.bytes(4));
  made.options.thinking = (flags & 1) != 0;
  made.options.add_generation_prompt = (flags & 2) == 0;
  while (!in.empty() && made.messages.size() < 12) {
    const std::uint8_t role = in.byte();
    std::string name(role % 16 < 15 ? kRoles[role % 3] : in.bytes(role / 16));
    made.well_formed = made.well_formed && std::find(std::begin(kRoles), std::end(kRoles), name) != std::end(kRoles);
    made.messages.push_back({std::move(name), content(in)});
  }
  const auto& chosen = made.options.format;
  made.well_formed = made.well_formed && (chosen.empty() || std::find(formats.begin(), formats.end(), chosen) != formats.end());
  return made;
}

// A harmless message that the format treats alike: formats take reasoning out of answers, and Qwen3's asks whether a user's
// message is a tool's.
std::string harmless(const ChatMessage& message, text::ChatFormat format, const text::ChatmlTraits& traits) {
  const std::string_view text = message.content;
  if (message.role == "user" && text.starts_with("<tool_response>") && text.ends_with("</tool_response>")) {
    return "<tool_response></tool_response>";
  }
  const bool chatml = format == text::ChatFormat::chatml && traits.drops_reasoning;
  const std::size_t end = text.find("</think>");
  if (message.role != "assistant" || !chatml || end == text.npos) return "a";
  std::string_view reasoning = text.substr(0, end);
  if (const std::size_t begin = reasoning.rfind("<think>"); begin != reasoning.npos) reasoning.remove_prefix(begin + 7);
  return reasoning.find_first_not_of('\n') == reasoning.npos ? "</think>a" : "r</think>a";
}

std::vector<TokenId> markers_in(const std::vector<TokenId>& ids, const ChatTokenizer& used) {
  std::vector<TokenId> markers, found;
  for (const std::string& marker : used.markers) markers.push_back(used.tokenizer.find(marker).value());
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(found),
               [&](TokenId id) { return std::find(markers.begin(), markers.end(), id) != markers.end(); });
  return found;
}

std::string without(std::string text, std::string_view part) {
  std::string kept;
  std::string_view rest = text;
  for (std::size_t at; (at = rest.find(part)) != rest.npos; rest.remove_prefix(at + part.size())) kept += rest.substr(0, at);
  return kept.append(rest);
}

std::string without_spaces(const std::string& text) { return without(without(text, " "), "▁"); }

// The format's own tokens are there, so nothing is wrong with a well-formed conversation.
bool must_succeed(text::ChatFormat format, const ChatTokenizer& used) {
  static const std::vector<std::vector<std::string_view>> needed = {{kControl[0], kControl[1]},
                                                                    {kControl[0], kControl[1], kControl[2], kControl[3]},
                                                                    {kControl[6], kControl[7]},
                                                                    {kControl[8], kControl[9], kControl[10], kControl[11]}};
  const std::size_t row = format == text::ChatFormat::deepseek_v2 ? 0
                          : format == text::ChatFormat::chatml    ? 2
                          : format == text::ChatFormat::llama3    ? 3
                                                                  : 1;
  if (format == text::ChatFormat::none) return false;
  return std::all_of(needed[row].begin(), needed[row].end(), [&](std::string_view marker) {
    return std::find(used.markers.begin(), used.markers.end(), marker) != used.markers.end();
  });
}

void check(const ChatTokenizer& used, const Conversation& given, const std::vector<TokenId>& ids) {
  const text::Tokenizer& inner = *used.tokenizer.impl()->tokenizer;
  const text::ChatFormat format =
      given.options.format.empty() ? text::detect_chat_format(inner) : text::parse_chat_format(given.options.format);
  for (const TokenId id : ids) require(id >= 0 && id < used.tokenizer.vocab_size());

  Conversation twin = given;
  const text::ChatmlTraits traits = text::read_chatml_traits(inner.chat_template());
  for (ChatMessage& message : twin.messages) message.content = harmless(message, format, traits);
  require(markers_in(ids, used) == markers_in(encode_chat(used.tokenizer, twin.messages, twin.options), used));

  std::vector<text::Message> turns;
  for (const ChatMessage& message : given.messages) {
    const auto role = std::find(std::begin(kRoles), std::end(kRoles), message.role) - std::begin(kRoles);
    turns.push_back({text::Role(role), message.content});
  }
  const std::string rendered =
      text::render_chat(format, inner, turns, {given.options.thinking, given.options.add_generation_prompt});
  require(must_succeed(format, used) || rendered.empty());
  const std::string decoded = used.tokenizer.decode(ids, false);
  require(text::is_utf8(decoded));
  if (used.exactness == Exactness::bytes) require(decoded == rendered);
  if (used.exactness == Exactness::spaces) require(without_spaces(decoded) == without_spaces(rendered));

  // What was said does not depend on whether an answer is asked for; V2's prompt is a word that may join what is before it.
  if (!given.options.add_generation_prompt || format == text::ChatFormat::deepseek_v2) return;
  Conversation silent = given;
  silent.options.add_generation_prompt = false;
  const std::vector<TokenId> said = encode_chat(used.tokenizer, silent.messages, silent.options);
  require(said.size() < ids.size() && std::equal(said.begin(), said.end(), ids.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, std::min<std::size_t>(size, 1024));
  const auto& tokenizers = fuzz::chat_tokenizers();
  const ChatTokenizer& used = tokenizers[in.byte() % tokenizers.size()];
  const Conversation given = conversation(in);
  std::vector<TokenId> ids;
  try {
    ids = encode_chat(used.tokenizer, given.messages, given.options);
  } catch (const Error& error) {
    require(!error.message().empty());
    require(error.status() == Status::invalid_argument || error.status() == Status::unsupported);
    if (!given.well_formed) return 0;
    const text::Tokenizer& inner = *used.tokenizer.impl()->tokenizer;
    require(!must_succeed(
        given.options.format.empty() ? text::detect_chat_format(inner) : text::parse_chat_format(given.options.format), used));
    return 0;
  }
  require(given.well_formed);
  check(used, given, ids);
  return 0;
}
