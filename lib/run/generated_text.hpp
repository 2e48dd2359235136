// The text of a generation: whole characters, and nothing of a stop string.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/sampling.hpp"
#include "text/utf8_stream.hpp"

namespace fathom {

class GeneratedText {
 public:
  // Without a tokenizer there is no text, and nothing is ever found.
  explicit GeneratedText(const text::Tokenizer* tokenizer);

  void set_stop_strings(std::vector<std::string> strings) { stop_strings_ = std::move(strings); }
  // Takes in a token. True when a stop string is now complete: the text ends before it.
  bool push(TokenId id);
  // The generation is over: what was held back is text after all.
  void finish();
  // Generation goes on after finish(). What was not taken stays; stop strings are sought in what follows it.
  void resume();
  // What is certain and was not taken yet.
  std::string_view ready() const;
  std::string take();
  void reset();
  // Forgets what was not taken, and goes on from there.
  void drop_untaken();

  // All there is to going on from here, but the tokenizer.
  struct State {
    text::Utf8Stream::State stream;
    std::vector<std::string> stop_strings;
    std::string pending;
    std::uint64_t settled = 0;
    bool over = false;
  };
  State state() const;
  void restore(State state);

 private:
  bool cut_at_stop_string();
  std::size_t held_back() const;

  std::optional<text::Utf8Stream> stream_;
  std::vector<std::string> stop_strings_;
  std::string pending_;      // decoded, not taken
  std::size_t settled_ = 0;  // bytes of pending_ that an earlier generation left
  bool over_ = false;        // nothing is held back any more
};

}  // namespace fathom
