// Tokens in, whole UTF-8 characters out.
#pragma once

#include <string>

#include "text/tokenizer.hpp"

namespace fathom::text {

// One per generated text. The concatenation of all pieces and of finish() equals Tokenizer::decode of the ids.
class Utf8Stream {
 public:
  explicit Utf8Stream(const Tokenizer& tokenizer, bool skip_special = true);

  // Appends to `out` the characters that `id` completed (maybe none). Never a part of a character.
  void push(TokenId id, std::string& out);
  // Appends what is left: an unfinished character becomes U+FFFD.
  void finish(std::string& out);
  void reset();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  bool at_start_ = true;
  std::string pending_;
};

}  // namespace fathom::text
