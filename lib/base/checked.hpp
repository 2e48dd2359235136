// Arithmetic on sizes that came from a file: every product and sum either holds or throws.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace fathom {

inline std::uint64_t checked_multiply(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) {
    fail(Status::corrupt_file, "{}: {} x {} does not fit 64 bits", what, a, b);
  }
  return product;
}

inline std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    fail(Status::corrupt_file, "{}: {} + {} does not fit 64 bits", what, a, b);
  }
  return sum;
}

}  // namespace fathom
