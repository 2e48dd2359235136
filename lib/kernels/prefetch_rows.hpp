// The prefetches that a choice is made from, by name.
#pragma once

#include <string_view>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

struct PrefetchRow {
  std::string_view name;
  Prefetch how;
};

// To add a prefetch, add a row here and its name to the candidates of lib/backend/choose_streams.cpp.
inline constexpr PrefetchRow kPrefetchRows[] = {
    {"none", {kPrefetchNothing, kPrefetchNothing, 0}},
    {"1k", kPrefetchFloats},
    {"4k", kPrefetchStream},
    {"8k", {8192, 8192, 0}},
    {"4k/2", {4096, kPrefetchNothing, 0}},  // every second line
    {"tile", kPrefetchNextTile},
};

constexpr bool operator==(const Prefetch& a, const Prefetch& b) {
  return a.even == b.even && a.odd == b.odd && a.next_tile == b.next_tile;
}

}  // namespace fathom::kernels
