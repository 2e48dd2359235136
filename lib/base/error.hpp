// Throwing with a formatted sentence. The sentence names the culprit: file, tensor, offset, found, expected.
#pragma once

#include <fmt/format.h>

#include "fathom/error.hpp"

namespace fathom {

template <typename... Args>
[[noreturn]] void fail(Status status, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(status, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace fathom
