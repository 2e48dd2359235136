// Status names, the version, and the error text of each thread.
#include <algorithm>
#include <cstring>

#include "fathom/version.hpp"
#include "guard.hpp"

namespace capi {
namespace {

thread_local char error_text[1024];

// Bytes of the well-formed character at the start of `text`, of which there are `size`; 0 when it begins with none.
std::size_t character_size(const unsigned char* text, std::size_t size) noexcept {
  const unsigned char lead = text[0];
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (bytes == 0 || bytes > size) return 0;
  if (std::any_of(text + 1, text + bytes, [](unsigned char byte) { return (byte & 0xc0) != 0x80; })) return 0;
  // longer than need be, surrogates, past the last code point
  const bool outside = (lead == 0xe0 && text[1] < 0xa0) || (lead == 0xed && text[1] >= 0xa0) ||
                       (lead == 0xf0 && text[1] < 0x90) || (lead == 0xf4 && text[1] >= 0x90);
  return outside ? 0 : bytes;
}

}  // namespace

void clear_error() noexcept { error_text[0] = '\0'; }

// Sentences quote what the host and its files passed in, which need not be UTF-8: each byte that is not becomes a question
// mark.
void note_error(const char* sentence) noexcept {
  const auto* text = reinterpret_cast<const unsigned char*>(sentence);
  std::size_t left = std::strlen(sentence), size = 0;
  while (left > 0) {
    const std::size_t character = character_size(text, left), bytes = std::max<std::size_t>(character, 1);
    if (bytes > sizeof error_text - 1 - size) break;
    if (character > 0) {
      std::memcpy(error_text + size, text, bytes);
    } else {
      error_text[size] = '?';
    }
    text += bytes, left -= bytes, size += bytes;
  }
  error_text[size] = '\0';
}

}  // namespace capi

const char* fathom_version(void) { return fathom::version(); }

const char* fathom_status_name(int32_t status) {
  if (status == FATHOM_BUFFER_TOO_SMALL) return "buffer_too_small";
  return fathom::status_name(static_cast<fathom::Status>(status));
}

const char* fathom_last_error(void) { return capi::error_text; }
