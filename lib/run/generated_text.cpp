#include "run/generated_text.hpp"

#include <algorithm>
#include <utility>

namespace fathom {

GeneratedText::GeneratedText(const text::Tokenizer* tokenizer) {
  if (tokenizer) stream_.emplace(*tokenizer);
}

bool GeneratedText::push(TokenId id) {
  if (!stream_) return false;
  stream_->push(id, pending_);
  return cut_at_stop_string();
}

bool GeneratedText::cut_at_stop_string() {
  std::size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) first = std::min(first, pending_.find(stop, settled_));
  if (first == std::string::npos) return false;
  pending_.resize(first);
  stream_->reset();  // a character that only began behind the stop string is no text either
  over_ = true;
  return true;
}

// The longest end of the text that could be the beginning of a stop string. Taken text never reaches into it, so a stop
// string always lies in pending_ as a whole.
std::size_t GeneratedText::held_back() const {
  std::size_t longest = 0;
  for (const std::string& stop : stop_strings_) {
    for (std::size_t n = std::min(stop.size() - 1, pending_.size() - settled_); n > longest; --n) {
      if (pending_.compare(pending_.size() - n, n, stop, 0, n) == 0) longest = n;
    }
  }
  return longest;
}

void GeneratedText::finish() {
  if (stream_) stream_->finish(pending_);
  over_ = true;
}

void GeneratedText::resume() {
  settled_ = pending_.size();
  over_ = false;
}

std::string_view GeneratedText::ready() const {
  return std::string_view(pending_).substr(0, over_ ? pending_.size() : pending_.size() - held_back());
}

std::string GeneratedText::take() {
  std::string out(ready());
  pending_.erase(0, out.size());
  settled_ -= std::min(settled_, out.size());
  return out;
}

void GeneratedText::drop_untaken() {
  pending_.clear();
  settled_ = 0;
}

GeneratedText::State GeneratedText::state() const {
  return {stream_ ? stream_->state() : text::Utf8Stream::State{}, stop_strings_, pending_, settled_, over_};
}

void GeneratedText::restore(State state) {
  if (stream_) stream_->restore(std::move(state.stream));
  stop_strings_ = std::move(state.stop_strings);
  pending_ = std::move(state.pending);
  settled_ = std::min<std::size_t>(state.settled, pending_.size());
  over_ = state.over;
}

void GeneratedText::reset() {
  if (stream_) stream_->reset();
  pending_.clear();
  settled_ = 0;
  over_ = false;
}

}  // namespace fathom
