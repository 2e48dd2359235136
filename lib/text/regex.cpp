// The only file that knows PCRE2.
#include "text/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <utility>

#include "base/error.hpp"
#include "text/regex_dialect.hpp"
#include "text/unicode.hpp"

namespace fathom::text {
namespace {

constexpr std::size_t kMaxPatternBytes = 65536;
// Real patterns need a step or two a character; a hostile one is stopped within a second at any one position.
constexpr std::uint32_t kMatchLimit = 20'000'000;
constexpr std::uint32_t kHeapLimitKiB = 256 * 1024;

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

template <typename T>
T* allocated(T* object) {
  if (object == nullptr) fail(Status::out_of_memory, "no memory for a regular expression");
  return object;
}

}  // namespace

void RegexScratch::Free::operator()(pcre2_real_match_data_8* data) const noexcept { pcre2_match_data_free(data); }
void Regex::FreeCode::operator()(pcre2_real_code_8* code) const noexcept { pcre2_code_free(code); }
void Regex::FreeContext::operator()(pcre2_real_match_context_8* context) const noexcept { pcre2_match_context_free(context); }

RegexScratch::RegexScratch() : data_(allocated(pcre2_match_data_create(1, nullptr))) {}

Regex::Regex(std::string_view pattern, std::string where) : where_(std::move(where)) {
  if (pattern.size() > kMaxPatternBytes) {
    fail(Status::unsupported, "{}: a regular expression of {} bytes, more than {}", where_, pattern.size(), kMaxPatternBytes);
  }
  const std::string translated = to_pcre2(pattern, where_);

  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> settings(
      allocated(pcre2_compile_context_create(nullptr)), pcre2_compile_context_free);
  pcre2_set_newline(settings.get(), PCRE2_NEWLINE_LF);
  // In Oniguruma ^ and $ are about lines; \C would split characters.
  const std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), options, &error, &offset,
                            settings.get()));
  if (!code_) {
    fail(Status::corrupt_file, "{}: the regular expression '{}' does not compile: {}", where_, pattern.substr(0, 200),
         message_of(error));
  }
  // Where the host forbids executable memory the interpreter does.
  jit_ = pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE) == 0;
  limits_.reset(allocated(pcre2_match_context_create(nullptr)));
  pcre2_set_match_limit(limits_.get(), kMatchLimit);
  pcre2_set_depth_limit(limits_.get(), kMatchLimit);
  pcre2_set_heap_limit(limits_.get(), kHeapLimitKiB);
}

bool Regex::find(std::string_view text, std::size_t from, RegexScratch& scratch, Match& match) const {
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int result = PCRE2_ERROR_JIT_STACKLIMIT;
  if (jit_) result = pcre2_jit_match(code_.get(), subject, text.size(), from, 0, scratch.data_.get(), limits_.get());
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
    result = pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch.data_.get(),
                         limits_.get());
  }
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result < 0) {
    fail(Status::unsupported, "{}: the regular expression gave up on a text of {} bytes, from byte {}: {}", where_, text.size(),
         from, message_of(result));
  }
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(scratch.data_.get());
  match = {ends[0], ends[1]};
  // \K in a lookahead can put the end before the start.
  if (match.begin < from || match.end < match.begin) fail(Status::unsupported, "{}: a match that runs backwards", where_);
  return true;
}

void Regex::find_all(std::string_view text, RegexScratch& scratch, std::vector<Match>& matches) const {
  matches.clear();
  std::size_t from = 0;
  Match match{};
  while (from <= text.size() && find(text, from, scratch, match)) {
    if (match.end > match.begin) {
      matches.push_back(match);
      from = match.end;
      continue;
    }
    if (matches.empty() || matches.back().end != match.begin) matches.push_back(match);
    from = match.end + (match.end < text.size() ? utf8_length(text[match.end]) : 1);
  }
}

std::string escape_regex(std::string_view literal) {
  std::string pattern;
  for (char c : literal) {
    const bool plain = static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                       (c >= 'a' && c <= 'z') || c == '\n' || c == '\r';
    if (!plain) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

}  // namespace fathom::text
