// The border that no exception crosses: every C function that returns a status runs its body inside guard().
#pragma once

#include <exception>
#include <new>
#include <string>

#include "fathom.h"
#include "fathom/error.hpp"

namespace capi {

// This thread's error text. Kept in place, so that noting an error cannot fail; a longer sentence loses its end.
void clear_error() noexcept;
void note_error(const char* sentence) noexcept;

// A body reports failure by throwing; what it throws becomes the status and the thread's error text.
[[noreturn]] inline void fail(int32_t status, std::string sentence) {
  throw fathom::Error(static_cast<fathom::Status>(status), std::move(sentence));
}

inline void require(bool condition, const char* sentence) {
  if (!condition) fail(FATHOM_INVALID_ARGUMENT, sentence);
}

template <typename Body>
int32_t guard(Body&& body) noexcept {
  clear_error();
  try {
    body();
    return FATHOM_OK;
  } catch (const fathom::Error& error) {
    note_error(error.what());
    return static_cast<int32_t>(error.status());
  } catch (const std::bad_alloc&) {
    note_error("out of memory");
    return FATHOM_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    note_error(error.what());
    return FATHOM_INTERNAL;
  } catch (...) {
    note_error("something that is no std::exception was thrown");
    return FATHOM_INTERNAL;
  }
}

}  // namespace capi
