// Throwing with a formatted sentence. The sentence names the culprit: file, tensor, offset, found, expected.
#pragma once

#include <fmt/core.h>

#include "fathom/error.hpp"

namespace fathom {

[[noreturn]] void fail_formatted(Status status, fmt::string_view format, fmt::format_args args);

template <typename... Args>
[[noreturn]] void fail(Status status, fmt::format_string<Args...> format, Args&&... args) {
  fail_formatted(status, format, fmt::make_format_args(args...));
}

}  // namespace fathom
