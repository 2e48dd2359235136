// The pair of functions that each format's file defines; formats.cpp makes the table of them.
#pragma once

#include <cstddef>

#include "base/storage_format_list.hpp"

namespace fathom::quant {

#define FATHOM_DECLARE(id, ...)                            \
  void decode_##id(const std::byte* block, float* values); \
  void encode_##id(const float* values, std::byte* block);
FATHOM_COMPUTED_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE

}  // namespace fathom::quant
