// Regular expressions of tokenizer files: Oniguruma's dialect, matched by PCRE2 under limits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;

namespace fathom::text {

// One per thread and call.
class RegexScratch {
 public:
  RegexScratch();

 private:
  friend class Regex;
  struct Free {
    void operator()(pcre2_real_match_data_8* data) const noexcept;
  };
  std::unique_ptr<pcre2_real_match_data_8, Free> data_;
};

// Immutable; any thread.
class Regex {
 public:
  struct Match {
    std::size_t begin, end;  // byte offsets
  };

  // `where` names file and place in errors. Throws Error{corrupt_file} for what is no regular expression and
  // Error{unsupported} for what this engine cannot match the same way.
  Regex(std::string_view pattern, std::string where);

  // All matches from left to right, as a find-all loop yields them: an empty match right behind another is dropped.
  // Throws Error{unsupported} when a match needs more steps or memory than the limits allow.
  void find_all(std::string_view text, RegexScratch& scratch, std::vector<Match>& matches) const;

 private:
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const noexcept;
  };
  struct FreeContext {
    void operator()(pcre2_real_match_context_8* context) const noexcept;
  };
  bool find(std::string_view text, std::size_t from, RegexScratch& scratch, Match& match) const;

  std::string where_;
  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
  std::unique_ptr<pcre2_real_match_context_8, FreeContext> limits_;
  bool jit_ = false;
};

// `literal` as a pattern that matches just itself.
std::string escape_regex(std::string_view literal);

}  // namespace fathom::text
