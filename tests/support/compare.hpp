// Distances between rows of logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace fathom::test {

// Infinity when the lengths differ or anything is NaN: a comparison that cannot be made has failed.
inline double max_abs_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double(a[i]) - double(b[i]));
    if (std::isnan(difference)) return INFINITY;
    largest = std::max(largest, difference);
  }
  return largest;
}

inline double mean_abs_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(double(a[i]) - double(b[i]));
  return std::isnan(sum) ? INFINITY : sum / double(a.size());
}

inline double cosine(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return -1;
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += double(a[i]) * b[i];
    aa += double(a[i]) * a[i];
    bb += double(b[i]) * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

// ||a - b|| / ||b||
inline double relative_distance(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    bb += double(b[i]) * b[i];
  }
  return std::sqrt(difference / bb);
}

inline std::ptrdiff_t argmax(std::span<const float> row) { return std::max_element(row.begin(), row.end()) - row.begin(); }

}  // namespace fathom::test
