#include "text/huggingface_steps.hpp"

#include <algorithm>

#include "text/known_patterns.hpp"

namespace fathom::text {
namespace {

// \w+|[^\w\s]+ in the dialect of Rust, where numbers that are no digits are no words, and joiners are.
constexpr std::string_view kWordsAndSymbols =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}\s]+)";

// Calls read(step) for the node, or for each member of a Sequence, nested ones too (the JSON reader bounds the depth).
template <typename Read>
void for_each_step(const JsonNode& node, std::string_view list, const Read& read) {
  if (node.is_null()) return;
  if (node.object()["type"].string() != "Sequence") return read(node);
  const JsonNode steps = node[list].array();
  for (std::size_t i = 0; i < steps.size(); ++i) for_each_step(steps[i], list, read);
}

[[noreturn]] void unsupported_type(const JsonNode& node) {
  node.unsupported(fmt::format("the type {}", node["type"].string()));
}

// {"String": "..."} or {"Regex": "..."}
std::string read_pattern(const JsonNode& node) {
  const JsonNode literal = node.object()["String"];
  return literal.is_null() ? std::string(node["Regex"].string()) : escape_regex(literal.string());
}

NormalizerStep read_replace(const JsonNode& node) {
  const JsonNode pattern = node["pattern"].object();
  std::string to(node["content"].string());
  if (pattern["String"].is_null()) return ReplaceRegex{Regex(read_pattern(pattern), pattern.place()), std::move(to)};
  const std::string_view from = pattern["String"].string();
  if (from.empty()) pattern["String"].expected("a text that is not empty");
  return ReplaceLiteral{std::string(from), std::move(to)};
}

void read_normalizer_step(const JsonNode& node, Normalizer& normalizer) {
  const std::string_view type = node["type"].string();
  if (type == "NFC") {
    normalizer.add(UnicodeForm{NormalizationForm::nfc});
  } else if (type == "NFD") {
    normalizer.add(UnicodeForm{NormalizationForm::nfd});
  } else if (type == "NFKC") {
    normalizer.add(UnicodeForm{NormalizationForm::nfkc});
  } else if (type == "NFKD") {
    normalizer.add(UnicodeForm{NormalizationForm::nfkd});
  } else if (type == "Prepend") {
    normalizer.add(Prepend{std::string(node["prepend"].string())});
  } else if (type == "Replace") {
    normalizer.add(read_replace(node));
  } else if (type == "Strip") {
    normalizer.add(StripSpace{node["strip_left"].boolean_or(true), node["strip_right"].boolean_or(true)});
  } else {
    unsupported_type(node);
  }
}

SplitBehavior read_behavior(const JsonNode& node) {
  const std::string_view name = node.string();
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  node.unsupported(fmt::format("the behavior {}", name));
}

// The one character that stands for a space, usually U+2581.
std::string read_replacement(const JsonNode& node) {
  const std::string_view replacement = node["replacement"].string_or("▁");
  if (replacement.empty() || utf8_length(replacement[0]) != replacement.size()) node["replacement"].expected("one character");
  return std::string(replacement);
}

// Older files have add_prefix_space instead.
Prefix read_prefix(const JsonNode& node) {
  const JsonNode scheme = node["prepend_scheme"];
  if (scheme.is_null()) return node["add_prefix_space"].boolean_or(true) ? Prefix::always : Prefix::never;
  const std::string_view name = scheme.string();
  if (name == "always") return Prefix::always;
  if (name == "first") return Prefix::first;
  if (name == "never") return Prefix::never;
  scheme.unsupported(fmt::format("the scheme {}", name));
}

void read_pre_tokenizer_step(const JsonNode& node, PreTokenizer& pre_tokenizer, bool& byte_level) {
  // What is not ByteLevel sees text, not its bytes' stand-ins.
  if (byte_level) node.unsupported("a step behind ByteLevel");
  const std::string_view type = node["type"].string();
  const auto split = [&](std::string_view pattern, SplitBehavior behavior, bool invert = false) {
    pre_tokenizer.add(split_step(Regex(pattern, node.place()), behavior, invert));
  };
  if (type == "Split") {
    split(read_pattern(node["pattern"]), read_behavior(node["behavior"]), node["invert"].boolean_or(false));
  } else if (type == "Digits") {
    split(node["individual_digits"].boolean_or(false) ? R"(\p{N})" : R"(\p{N}+)", SplitBehavior::isolated);
  } else if (type == "Punctuation") {
    const JsonNode behavior = node["behavior"];
    split(R"([!-/:-@\[-`{-~\p{P}])", behavior.is_null() ? SplitBehavior::isolated : read_behavior(behavior));
  } else if (type == "Whitespace") {
    split(kWordsAndSymbols, SplitBehavior::removed, true);
  } else if (type == "WhitespaceSplit") {
    split(R"(\s)", SplitBehavior::removed);
  } else if (type == "Metaspace") {
    pre_tokenizer.add(metaspace_step(read_replacement(node), read_prefix(node), node["split"].boolean_or(true), node.place()));
  } else if (type == "ByteLevel") {
    byte_level = true;
    if (node["add_prefix_space"].boolean_or(true)) pre_tokenizer.add(prefix_space_step());
    if (node["use_regex"].boolean_or(true)) split(kGpt2Pattern, SplitBehavior::isolated);
  } else {
    unsupported_type(node);
  }
}

void read_decoder_step(const JsonNode& node, Decoder& decoder, bool& fused) {
  const std::string_view type = node["type"].string();
  if (decoder.byte_level) node.unsupported("a decoder behind ByteLevel");
  if (type == "ByteLevel") {
    decoder.byte_level = true;
  } else if (type == "ByteFallback") {
    decoder.byte_fallback = true;
  } else if (type == "Fuse") {
    fused = true;
  } else if (type == "Replace" && !fused) {
    const JsonNode from = node["pattern"].object()["String"];
    if (from.string().empty()) from.expected("a text that is not empty");
    decoder.replacements.push_back({std::string(from.string()), std::string(node["content"].string())});
  } else if (type == "Strip" && fused) {
    const bool leading_space = node["content"].string() == " " && node["start"].integer() == 1 && node["stop"].integer() == 0;
    if (!leading_space) node.unsupported("stripping anything but one leading space");
    decoder.strips_leading_space = true;
  } else if (type == "Metaspace") {
    decoder.replacements.push_back({read_replacement(node), " "});
    decoder.strips_leading_space = read_prefix(node) != Prefix::never;
  } else {
    unsupported_type(node);
  }
}

}  // namespace

void read_normalizer(const JsonNode& node, Normalizer& normalizer) {
  for_each_step(node, "normalizers", [&](const JsonNode& step) { read_normalizer_step(step, normalizer); });
}

bool read_pre_tokenizer(const JsonNode& node, PreTokenizer& pre_tokenizer) {
  bool byte_level = false;
  for_each_step(node, "pretokenizers", [&](const JsonNode& step) { read_pre_tokenizer_step(step, pre_tokenizer, byte_level); });
  return byte_level;
}

Decoder read_decoder(const JsonNode& node) {
  if (node.is_null()) node.unsupported("a tokenizer without a decoder");
  Decoder decoder;
  bool fused = false;
  for_each_step(node, "decoders", [&](const JsonNode& step) { read_decoder_step(step, decoder, fused); });
  return decoder;
}

}  // namespace fathom::text
