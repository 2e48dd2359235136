// Status names, the version, and the error text of each thread.
#include <algorithm>
#include <cstring>

#include "fathom/version.hpp"
#include "guard.hpp"

namespace capi {
namespace {

thread_local char error_text[1024];

// The largest size up to `size` that does not cut a UTF-8 character in two.
std::size_t whole_characters(const char* text, std::size_t size) noexcept {
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return size;
}

}  // namespace

void clear_error() noexcept { error_text[0] = '\0'; }

void note_error(const char* sentence) noexcept {
  std::size_t size = std::strlen(sentence);
  if (size >= sizeof error_text) size = whole_characters(sentence, sizeof error_text - 1);
  std::memcpy(error_text, sentence, size);
  error_text[size] = '\0';
}

}  // namespace capi

const char* fathom_version(void) { return fathom::version(); }

const char* fathom_status_name(int32_t status) {
  if (status == FATHOM_BUFFER_TOO_SMALL) return "buffer_too_small";
  return fathom::status_name(static_cast<fathom::Status>(status));
}

const char* fathom_last_error(void) { return capi::error_text; }
