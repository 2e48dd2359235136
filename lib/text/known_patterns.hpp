// GGUF files name their pre-tokenizer; this is what the names mean.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fathom::text {

struct KnownPreTokenizer {
  std::string_view name;
  std::span<const std::string_view> patterns;  // splits, each isolating its matches
  bool nfc = false;                            // the model's own tokenizer normalises first
  bool ignore_merges = false;                  // a piece that is a token is that token
  bool adds_bos = false;                       // where the file does not say
};

// Throws Error{unsupported} that names `origin` and lists the names.
const KnownPreTokenizer& known_pre_tokenizer(std::string_view name, std::string_view origin);

// GPT-2's pattern, also the one of ByteLevel(use_regex).
extern const std::string_view kGpt2Pattern;

}  // namespace fathom::text
