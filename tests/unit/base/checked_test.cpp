#include "base/checked.hpp"

#include <doctest/doctest.h>

#include "support/check_error.hpp"

using namespace fathom;
using fathom::test::check_error;

namespace {

constexpr std::uint64_t kMost = UINT64_MAX;

}  // namespace

TEST_CASE("products that fit 64 bits are exact, up to the last") {
  CHECK(checked_multiply(0, kMost, "x") == 0);
  CHECK(checked_multiply(1, kMost, "x") == kMost);
  CHECK(checked_multiply(0xffffffffu, 0x100000001u, "x") == kMost);
}

TEST_CASE("a product that does not fit is refused with both factors and what it was for") {
  check_error(Status::corrupt_file, {"tensor 'w'", "4294967296 x 4294967296"},
              [] { checked_multiply(std::uint64_t{1} << 32, std::uint64_t{1} << 32, "tensor 'w'"); });
  check_error(Status::corrupt_file, {"x 2"}, [] { checked_multiply(kMost, 2, "x"); });
}

TEST_CASE("sums that fit 64 bits are exact, and others are refused") {
  CHECK(checked_add(kMost - 1, 1, "x") == kMost);
  check_error(Status::corrupt_file, {"the end of 'w'", "18446744073709551615 + 1"},
              [] { checked_add(kMost, 1, "the end of 'w'"); });
}
