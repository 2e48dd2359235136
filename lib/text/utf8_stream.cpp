#include "text/utf8_stream.hpp"

#include "text/unicode.hpp"

namespace fathom::text {

Utf8Stream::Utf8Stream(const Tokenizer& tokenizer, bool skip_special) : tokenizer_(&tokenizer), skip_special_(skip_special) {
  pending_.reserve(64);
  reset();
}

void Utf8Stream::reset() {
  at_start_ = tokenizer_->strips_leading_space();
  pending_.clear();
}

void Utf8Stream::push(TokenId id, std::string& out) {
  if (skip_special_ && tokenizer_->is_special(id)) return;
  if (!tokenizer_->replaces_each_byte()) {
    tokenizer_->append_bytes(id, pending_);
    emit(false, out);
    return;
  }
  const std::size_t run = pending_.size();
  tokenizer_->append_bytes(id, pending_);
  // A byte waits for the end of its run, as it is good or bad only as a part of the whole. An id outside the vocabulary adds
  // nothing, and ends nothing.
  if (tokenizer_->is_byte(id) || pending_.size() == run) return;
  const std::string_view bytes = pending_;
  append_run(bytes.substr(0, run), out);
  append(bytes.substr(run), out);
  pending_.clear();
}

void Utf8Stream::finish(std::string& out) {
  if (tokenizer_->replaces_each_byte()) {
    append_run(pending_, out);
  } else {
    emit(true, out);
  }
  reset();
}

// Appends the characters at the front of pending_, and when `last` what is left of an unfinished one.
void Utf8Stream::emit(bool last, std::string& out) {
  std::size_t done = 0;
  while (done < pending_.size()) {
    const std::string_view rest = std::string_view(pending_).substr(done);
    const Utf8Sequence sequence = next_utf8(rest);
    if (sequence.kind == Utf8Kind::unfinished && !last) break;
    append(sequence.kind == Utf8Kind::character ? rest.substr(0, sequence.bytes) : kReplacementCharacter, out);
    done += sequence.bytes;
  }
  pending_.erase(0, done);
}

void Utf8Stream::append_run(std::string_view bytes, std::string& out) {
  if (is_utf8(bytes)) {
    append(bytes, out);
  } else {
    for (std::size_t i = 0; i < bytes.size(); ++i) append(kReplacementCharacter, out);
  }
}

void Utf8Stream::append(std::string_view text, std::string& out) {
  if (text.empty()) return;
  if (at_start_ && text.front() == ' ') text.remove_prefix(1);
  at_start_ = false;
  out.append(text);
}

}  // namespace fathom::text
