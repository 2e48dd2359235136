// The only file that knows utf8proc.
#include "text/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/error.hpp"

namespace fathom::text {
namespace {

std::uint8_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); }

// How long a sequence with this lead byte is, and what its second byte may be (Unicode, table 3-7).
struct LeadByte {
  std::size_t length;
  std::uint8_t second_min, second_max;
};
LeadByte lead_byte(std::uint8_t lead) noexcept {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};  // no surrogates
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

std::size_t ascii_prefix(std::string_view bytes) noexcept {
  std::size_t n = 0;
  while (n < bytes.size() && byte_at(bytes, n) < 0x80) ++n;
  return n;
}

// Every character below U+0300 is its own NFC, and nothing before it composes with it.
bool is_trivially_nfc(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<std::uint8_t>(c) >= 0xCC; });
}

std::uint16_t combining_class(utf8proc_int32_t c) { return std::uint16_t(utf8proc_get_property(c)->combining_class); }

// Canonical order by a stable sort of each run of combining marks; utf8proc's own ordering takes quadratic time in the
// length of a run, which a text may choose.
void order_canonically(std::vector<utf8proc_int32_t>& code_points) {
  auto first = code_points.begin();
  while (first != code_points.end()) {
    if (combining_class(*first) == 0) {
      ++first;
      continue;
    }
    const auto last = std::find_if(first, code_points.end(), [](auto c) { return combining_class(c) == 0; });
    std::stable_sort(first, last, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    first = last;
  }
}

std::vector<utf8proc_int32_t> decompose(std::string_view text, bool compatibility) {
  const auto options = utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0));
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(text.size());
  std::array<utf8proc_int32_t, 32> parts;  // the longest decomposition has 18 code points
  for (std::size_t i = 0; i < text.size(); i += utf8_length(text[i])) {
    const auto c = utf8proc_int32_t(first_code_point(text.substr(i)));
    if (c < 0x80) {
      code_points.push_back(c);
      continue;
    }
    int last_boundclass = 0;
    const auto count = utf8proc_decompose_char(c, parts.data(), parts.size(), options, &last_boundclass);
    if (count < 0 || std::size_t(count) > parts.size()) fail(Status::internal, "no decomposition of U+{:04X}", c);
    code_points.insert(code_points.end(), parts.begin(), parts.begin() + count);
  }
  return code_points;
}

}  // namespace

Utf8Sequence next_utf8(std::string_view bytes) noexcept {
  const LeadByte lead = lead_byte(byte_at(bytes, 0));
  if (lead.length == 0) return {Utf8Kind::invalid, 1};
  std::uint8_t min = lead.second_min, max = lead.second_max;
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == bytes.size()) return {Utf8Kind::unfinished, i};
    if (byte_at(bytes, i) < min || byte_at(bytes, i) > max) return {Utf8Kind::invalid, i};
    min = 0x80, max = 0xBF;
  }
  return {Utf8Kind::character, lead.length};
}

bool is_utf8(std::string_view bytes) noexcept {
  for (;;) {
    bytes.remove_prefix(ascii_prefix(bytes));
    if (bytes.empty()) return true;
    const Utf8Sequence sequence = next_utf8(bytes);
    if (sequence.kind != Utf8Kind::character) return false;
    bytes.remove_prefix(sequence.bytes);
  }
}

void append_valid_utf8(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const Utf8Sequence sequence = next_utf8(bytes);
    out.append(sequence.kind == Utf8Kind::character ? bytes.substr(0, sequence.bytes) : kReplacementCharacter);
    bytes.remove_prefix(sequence.bytes);
  }
}

char32_t first_code_point(std::string_view text) noexcept {
  const std::uint8_t lead = byte_at(text, 0);
  const std::size_t length = utf8_length(text[0]);
  if (length == 1) return lead;
  char32_t code_point = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) code_point = code_point << 6 | (byte_at(text, i) & 0x3Fu);
  return code_point;
}

char32_t last_code_point(std::string_view text) noexcept {
  std::size_t start = text.size() - 1;
  while ((byte_at(text, start) & 0xC0) == 0x80) --start;
  return first_code_point(text.substr(start));
}

void append_utf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out.push_back(char(c));
    return;
  }
  if (c < 0x800) {
    out.push_back(char(0xC0 | c >> 6));
  } else {
    if (c < 0x10000) {
      out.push_back(char(0xE0 | c >> 12));
    } else {
      out.push_back(char(0xF0 | c >> 18));
      out.push_back(char(0x80 | (c >> 12 & 0x3F)));
    }
    out.push_back(char(0x80 | (c >> 6 & 0x3F)));
  }
  out.push_back(char(0x80 | (c & 0x3F)));
}

std::string normalize(std::string_view text, NormalizationForm form) {
  const bool ascii = ascii_prefix(text) == text.size();
  if (ascii || (form == NormalizationForm::nfc && is_trivially_nfc(text))) return std::string(text);

  const bool compatibility = form == NormalizationForm::nfkc || form == NormalizationForm::nfkd;
  const bool compose = form == NormalizationForm::nfc || form == NormalizationForm::nfkc;
  std::vector<utf8proc_int32_t> code_points = decompose(text, compatibility);
  order_canonically(code_points);
  if (compose) {
    const auto options = utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE | (compatibility ? UTF8PROC_COMPAT : 0));
    const auto count = utf8proc_normalize_utf32(code_points.data(), utf8proc_ssize_t(code_points.size()), options);
    if (count < 0) fail(Status::internal, "normalisation of a text of {} bytes failed", text.size());
    code_points.resize(std::size_t(count));
  }
  std::string out;
  out.reserve(text.size());
  for (utf8proc_int32_t c : code_points) append_utf8(char32_t(c), out);
  return out;
}

bool is_white_space(char32_t c) noexcept {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_word(char32_t c) noexcept {
  const bool is_joiner = c == 0x200C || c == 0x200D;
  // Circled and squared letters: symbols, but Alphabetic.
  const bool is_letter_symbol = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
                                (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  if (is_joiner || is_letter_symbol) return true;
  switch (utf8proc_category(utf8proc_int32_t(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

}  // namespace fathom::text
