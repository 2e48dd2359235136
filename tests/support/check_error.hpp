// Checks that a call throws fathom::Error with a status, and a message that holds each of some pieces of text.
#pragma once

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "fathom/error.hpp"

namespace fathom::test {

template <typename Body>
void check_error(Status status, std::initializer_list<std::string_view> pieces, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    CAPTURE(error.message());
    CHECK(error.status() == status);
    for (const std::string_view piece : pieces) {
      CAPTURE(std::string(piece));
      CHECK(error.message().find(piece) != std::string::npos);
    }
    return;
  }
  FAIL_CHECK("nothing was thrown");
}

}  // namespace fathom::test
