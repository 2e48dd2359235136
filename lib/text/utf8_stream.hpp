// Tokens in, whole UTF-8 characters out.
#pragma once

#include <string>
#include <string_view>

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

  // What is not written yet, for saving and going on from there.
  struct State {
    std::string pending;
    bool at_start = false;
  };
  State state() const { return {pending_, at_start_}; }
  void restore(State state) {
    pending_ = std::move(state.pending);
    at_start_ = state.at_start;
  }

 private:
  void emit(bool last, std::string& out);
  void append_run(std::string_view bytes, std::string& out);
  void append(std::string_view text, std::string& out);

  const Tokenizer* tokenizer_;
  bool skip_special_;
  bool at_start_ = false;  // the next character is the first, and dropped if it is a space
  std::string pending_;    // an unfinished character, or with byte fallback an unfinished run of bytes
};

}  // namespace fathom::text
