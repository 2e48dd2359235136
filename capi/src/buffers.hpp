// Strings and arrays in, variable output out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "guard.hpp"

namespace capi {

template <typename Element>
std::span<const Element> read_array(const Element* data, std::size_t size, const char* name) {
  if (data == nullptr && size > 0) fail(FATHOM_INVALID_ARGUMENT, std::string(name) + " is NULL but its size is not 0");
  if (size > PTRDIFF_MAX / sizeof(Element)) fail(FATHOM_INVALID_ARGUMENT, std::string(name) + " is larger than any memory");
  return {data, size};
}

inline std::string_view read_string(const char* data, std::size_t size, const char* name) {
  const auto characters = read_array(data, size, name);
  return {characters.data(), characters.size()};
}

// Hands `content` out under the header's rule for variable output. False when the caller only asked for the size.
template <typename Content, typename Element>
bool write_array(const Content& content, Element* buffer, std::size_t capacity, std::size_t* needed) {
  require(needed != nullptr, "needed is NULL");
  require(buffer != nullptr || capacity == 0, "the buffer is NULL but its capacity is not 0");
  *needed = content.size();
  if (buffer == nullptr) return content.empty();
  if (content.size() > capacity) {
    fail(FATHOM_BUFFER_TOO_SMALL,
         "the buffer has room for " + std::to_string(capacity) + ", needed are " + std::to_string(content.size()));
  }
  std::copy(content.begin(), content.end(), buffer);
  return true;
}

}  // namespace capi
