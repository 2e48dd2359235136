#include "text/regex_dialect.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"

namespace fathom::text {
namespace {

// White_Space, and all the rest, as the inside of a class.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";
// Letters, marks, numbers, connectors, and the circled and squared letters, which are symbols with the property Alphabetic.
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{N}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
constexpr std::string_view kHexDigit = "0-9a-fA-F";

// What Oniguruma puts into the POSIX classes. The others are as PCRE2 has them.
struct PosixClass {
  std::string_view name;
  std::string_view members;
};
constexpr PosixClass kPosixClasses[] = {
    {"alpha", R"(\p{Alphabetic})"}, {"alnum", R"(\p{Alphabetic}\p{Nd})"}, {"digit", R"(\p{Nd})"}, {"lower", R"(\p{Lowercase})"},
    {"upper", R"(\p{Uppercase})"},  {"punct", R"(\p{P}\p{S})"},           {"space", kSpace},      {"word", kWord},
};

// For PCRE2, \p{Han} is also what Han shares with other scripts, such as 、 and 「. For Oniguruma it is not.
constexpr std::string_view kScripts[] = {
    "Arabic",   "Armenian", "Bengali",  "Bopomofo", "Common",    "Cyrillic",  "Devanagari", "Ethiopic",  "Georgian",
    "Greek",    "Gujarati", "Gurmukhi", "Han",      "Hangul",    "Hebrew",    "Hiragana",   "Inherited", "Kannada",
    "Katakana", "Khmer",    "Lao",      "Latin",    "Malayalam", "Mongolian", "Myanmar",    "Oriya",     "Sinhala",
    "Syriac",   "Tamil",    "Telugu",   "Thaana",   "Thai",      "Tibetan",
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translation {
 public:
  Translation(std::string_view pattern, std::string_view where) : in_(pattern), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) translate_next();
    return std::move(out_);
  }

 private:
  void translate_next() {
    const char c = in_[at_];
    if (c == '{' && interval_length() > 0) {
      take_interval();
    } else if (c == '*' || c == '+' || c == '?') {
      take(1);
    } else if (c == '(') {
      if (in_.substr(at_).starts_with("(*")) refuse("a (*VERB)");
      open_groups_.push_back(out_.size());
      take(in_.substr(at_).starts_with("(?") ? 2 : 1);
    } else if (c == ')') {
      atom_ = open_groups_.empty() ? out_.size() : open_groups_.back();
      if (!open_groups_.empty()) open_groups_.pop_back();
      take(1);
    } else {
      atom_ = out_.size();
      if (c == '[') {
        take_class();
      } else if (c == '\\') {
        take_escape();
      } else {
        take_character();
      }
    }
  }

  void take(std::size_t count) {
    out_.append(in_.substr(at_, count));
    at_ = std::min(at_ + count, in_.size());
  }

  void take_character() {
    take(1);
    while (at_ < in_.size() && (static_cast<unsigned char>(in_[at_]) & 0xC0) == 0x80) take(1);
  }

  // Bytes of {n}, {n,}, {,m} or {n,m} at this place, 0 when it is none of these and so literal text.
  std::size_t interval_length() const {
    std::size_t i = at_ + 1, digits = 0, commas = 0;
    for (; i < in_.size() && in_[i] != '}'; ++i) {
      if (is_digit(in_[i])) {
        ++digits;
      } else if (in_[i] == ',' && commas == 0) {
        ++commas;
      } else {
        return 0;
      }
    }
    return i < in_.size() && digits > 0 ? i + 1 - at_ : 0;
  }

  void take_interval() {
    std::string interval(in_.substr(at_, interval_length()));
    at_ += interval.size();
    if (interval[1] == ',') interval.insert(interval.begin() + 1, '0');
    out_ += interval;
    if (at_ < in_.size() && in_[at_] == '+') out_ = fmt::format("{}(?:{})", out_.substr(0, atom_), out_.substr(atom_));
  }

  void take_escape() {
    if (at_ + 1 >= in_.size()) return take(1);
    switch (in_[at_ + 1]) {
      case 's':
        return replace(2, "[", kSpace, "]");
      case 'S':
        return replace(2, "[^", kSpace, "]");
      case 'w':
        return replace(2, "[", kWord, "]");
      case 'W':
        return replace(2, "[^", kWord, "]");
      case 'h':
        return replace(2, "[", kHexDigit, "]");
      case 'H':
        return replace(2, "[^", kHexDigit, "]");
      default:
        return take_plain_escape();
    }
  }

  void take_class_escape() {
    if (at_ + 1 >= in_.size()) return take(1);
    switch (in_[at_ + 1]) {
      case 's':
        return replace(2, "", kSpace, "");
      case 'S':
        return replace(2, "", kNotSpace, "");
      case 'w':
        return replace(2, "", kWord, "");
      case 'h':
        return replace(2, "", kHexDigit, "");
      case 'W':
      case 'H':
        refuse("\\W or \\H in a class");
      default:
        return take_plain_escape();
    }
  }

  // Escapes that mean the same in a class and outside.
  void take_plain_escape() {
    switch (in_[at_ + 1]) {
      case 'd':
        return replace(2, "", "\\p{Nd}", "");
      case 'D':
        return replace(2, "", "\\P{Nd}", "");
      case 'v':
        return replace(2, "", "\\x0b", "");
      case 'u':
        return take_code_point();
      case 'p':
      case 'P':
        return take_property();
      case 'Q':
      case 'E':
        refuse("\\Q or \\E");
      default:
        take(1);
        return take_character();
    }
  }

  void take_property() {
    const std::size_t end = in_.find('}', at_);
    if (end == std::string_view::npos) return take(2);
    std::size_t name = at_ + 2;
    while (name < end && (in_[name] == '{' || in_[name] == '^')) ++name;
    const bool is_script =
        std::find(std::begin(kScripts), std::end(kScripts), in_.substr(name, end - name)) != std::end(kScripts);
    take(name - at_);
    if (is_script) out_ += "sc:";
    take(end + 1 - at_);
  }

  void take_code_point() {
    const std::string_view digits = in_.substr(at_ + 2, 4);
    if (digits.size() != 4 || !std::all_of(digits.begin(), digits.end(), is_hex)) refuse("\\u without four digits");
    replace(6, "\\x{", digits, "}");
  }

  void take_class() {
    take(1);
    if (at_ < in_.size() && in_[at_] == '^') take(1);
    if (at_ < in_.size() && in_[at_] == ']') take(1);
    while (at_ < in_.size() && in_[at_] != ']') {
      const std::string_view rest = in_.substr(at_);
      if (rest.starts_with("&&")) refuse("an intersection of classes");
      if (rest.starts_with("[:")) {
        take_posix_class();
      } else if (rest[0] == '[') {
        refuse("a class in a class");
      } else if (rest[0] == '\\') {
        take_class_escape();
      } else {
        take(1);
      }
    }
    take(1);
  }

  void take_posix_class() {
    const std::string_view rest = in_.substr(at_);
    const std::size_t end = rest.find(":]");
    if (end == std::string_view::npos || rest[2] == '^') refuse("a class in a class");
    const std::string_view name = rest.substr(2, end - 2);
    for (const PosixClass& known : kPosixClasses) {
      if (known.name == name) return replace(end + 2, "", known.members, "");
    }
    take(end + 2);
  }

  void replace(std::size_t count, std::string_view before, std::string_view what, std::string_view after) {
    out_.append(before).append(what).append(after);
    at_ += count;
  }

  [[noreturn]] void refuse(std::string_view what) const {
    fail(Status::unsupported, "{}: the regular expression '{}' has {} at byte {}, which fathom does not match", where_,
         in_.substr(0, 200), what, at_);
  }

  std::string_view in_;
  std::string_view where_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_ = 0;  // where in out_ the last repeatable thing starts
  std::vector<std::size_t> open_groups_;
};

}  // namespace

std::string to_pcre2(std::string_view pattern, std::string_view where) {
  // White space at the end of a line. Tried at every character of a long run that ends otherwise, this takes quadratic time;
  // only the run's first character can start a match, as the greedy run reaches the last line end in it.
  if (pattern == R"(\s+$)") return fmt::format("(?<![{0}])[{0}]+$", kSpace);
  return Translation(pattern, where).run();
}

}  // namespace fathom::text
