// A scanner of JSON's grammar (RFC 8259, and Python's NaN and Infinity) that builds nothing: it runs only after a failure,
// to say where.
#include "io/json_fault.hpp"

#include <cstdint>

namespace fathom::io {
namespace {

// Length of the UTF-8 sequence at the front of `text`, or 0 where there is none (RFC 3629: shortest form, no surrogates).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? std::uint8_t(text[i]) : std::uint8_t(0); };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

class Scanner {
 public:
  Scanner(std::string_view text, int max_depth) : text_(text), depth_left_(max_depth) {}

  bool document() {
    if (!value()) return false;
    skip_space();
    return at_ == text_.size() || expected("the end of the text");
  }
  JsonFault fault() const { return {at_, expected_}; }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  // Always false: the scan ends here.
  bool expected(std::string_view what) {
    expected_ = what;
    return false;
  }

  bool value() {
    skip_space();
    switch (peek()) {
      case '{':
        return container('}', "',' or '}'");
      case '[':
        return container(']', "',' or ']'");
      case '"':
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      case 'N':
        return literal("NaN");
      case 'I':
        return literal("Infinity");
      default:
        return number();
    }
  }

  bool container(char close, std::string_view separators) {
    if (depth_left_ == 0) return expected("less nesting");
    --depth_left_;
    ++at_;
    skip_space();
    if (!take(close)) {
      do {
        if (close == '}' && !key()) return false;
        if (!value()) return false;
        skip_space();
      } while (take(','));
      if (!take(close)) return expected(separators);
    }
    ++depth_left_;
    return true;
  }

  bool key() {
    skip_space();
    if (peek() != '"') return expected("a key in double quotes");
    if (!string()) return false;
    skip_space();
    return take(':') || expected("':'");
  }

  bool string() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (std::uint8_t(text_[at_]) < 0x20) return expected("no bare control character in a string");
      const bool fine = text_[at_] == '\\' ? escape() : character();
      if (!fine) return false;
    }
    return take('"') || expected("the string's closing quote");
  }
  bool character() {
    const std::size_t length = utf8_sequence(text_.substr(at_));
    if (length == 0) return expected("valid UTF-8");
    at_ += length;
    return true;
  }
  bool escape() {
    ++at_;
    if (take('u')) {
      for (int digit = 0; digit < 4; ++digit, ++at_) {
        if (std::string_view("0123456789abcdefABCDEF").find(peek()) == std::string_view::npos)
          return expected("four hex digits");
      }
      return true;
    }
    if (std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos) return expected("an escape such as \\n");
    ++at_;
    return true;
  }

  bool literal(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return expected("a value");
    at_ += word.size();
    return true;
  }

  bool digits() {
    const std::size_t first = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > first || expected("a digit");
  }
  bool number() {
    const bool negative = take('-');
    if (negative && peek() == 'I') return literal("Infinity");
    if (!negative && (peek() < '0' || peek() > '9')) return expected("a value");
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_left_;
  std::string_view expected_;
};

}  // namespace

std::optional<JsonFault> find_json_fault(std::string_view text, int max_depth) {
  Scanner scanner(text, max_depth);
  if (scanner.document()) return std::nullopt;
  return scanner.fault();
}

}  // namespace fathom::io
