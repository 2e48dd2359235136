// Oniguruma's regular expressions, which tokenizer.json files are written in, said in PCRE2's words.
#pragma once

#include <string>
#include <string_view>

namespace fathom::text {

// Where the two differ:
//   \s \S      the White_Space property; PCRE2 would count U+180E too
//   \w \W      with marks and letter-like symbols
//   \d \h \v   decimal digits of any script, a hexadecimal digit, the vertical tab
//   [:punct:] symbols are among it, and the other POSIX classes follow the Unicode properties
//   \uHHHH     not in PCRE2
//   x{n,m}+    one or more times x{n,m}; possessive in PCRE2
//   x{,m}      from zero
// Throws Error{unsupported}, with `where` in front, for classes in classes, intersections and (*VERBS).
std::string to_pcre2(std::string_view pattern, std::string_view where);

}  // namespace fathom::text
