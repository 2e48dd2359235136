// Small tokenizers that speak the built-in chat formats, with vocabularies that tempt a reader to take typed text for a marker.
#pragma once

#include <string>
#include <vector>

#include "fathom/tokenizer.hpp"

namespace fathom::fuzz {

enum class Exactness {
  bytes,   // decode(encode(text)) is the text
  spaces,  // but for spaces, which markers add and a text's start may lose
  none,
};

struct ChatTokenizer {
  std::string name;
  Tokenizer tokenizer;
  Exactness exactness;
  std::vector<std::string> markers;  // added tokens that stand for no text of a user
};

// Made once.
const std::vector<ChatTokenizer>& chat_tokenizers();

}  // namespace fathom::fuzz
