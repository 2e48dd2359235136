#include "nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace cli {
namespace {

// Levenshtein: Binary codes capable of correcting deletions, insertions, and reversals (1966).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);  // distances of what `a` has so far to each beginning of `b`
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char letter : a) {
    std::size_t diagonal = row[0]++;
    for (std::size_t i = 0; i < b.size(); ++i) {
      const std::size_t exchanged = diagonal + (letter != b[i]);
      diagonal = row[i + 1];
      row[i + 1] = std::min({exchanged, row[i] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
  return *std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
}

}  // namespace cli
