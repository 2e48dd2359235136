// Rows of latents as the files for attention in fixed point read them. For instruction-set files alone: a namespace for each set, and
// anonymous inside.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

constexpr uint16_t kInfinity16 = 0x7c00;

// Products ask memory for rows this far ahead, sums for as many of the rows that come next.
constexpr int64_t kAheadRows = 32;

// What rows that are no numbers or not there are read from.
constexpr uint16_t kZeros[2 * kFixedColumns] = {};

FATHOM_INLINE float not_a_number() { return __builtin_nanf(""); }

FATHOM_INLINE __m256i load(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }

// Part of a row: the columns from `at` on, as integers = values * inverse.
struct Part {
  const uint16_t* at;
  float inverse;
};

FATHOM_INLINE const uint16_t* row_of(const WeightRows& w, int64_t row) {
  return reinterpret_cast<const uint16_t*>(w.data + row * w.row_bytes);
}

// The largest of 16 lanes, none of them negative.
FATHOM_INLINE uint16_t largest_lane(__m256i lanes) {
  const __m128i eight = _mm_max_epi16(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  // the least of their complements
  return uint16_t(0xffff - _mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(eight, _mm_set1_epi16(-1))), 0));
}

// The largest magnitude of n halves, as bits.
FATHOM_INLINE uint16_t largest_half(const uint16_t* at, int64_t n) {
  __m256i most = _mm256_setzero_si256();
  const __m256i magnitude = _mm256_set1_epi16(0x7fff);
  for (int64_t k = 0; k < n; k += 16) most = _mm256_max_epi16(most, _mm256_and_si256(load(at + k), magnitude));
  return largest_lane(most);
}

FATHOM_INLINE float scale_of(const uint16_t* at, int64_t n) {
  const uint16_t most = largest_half(at, n);
  return most < kInfinity16 ? _cvtsh_ss(most) / float(kFixedLimit) : not_a_number();
}

FATHOM_INLINE Part part_of(const uint16_t* at, float scale) {
  return scale > 0.0f ? Part{at, 1.0f / scale} : Part{kZeros, 0.0f};
}

// Asks for `bytes` of memory in `times` steps, while others are worked on. Few lines at a step: many fill the processor's list of
// outstanding ones, and it waits.
class Ahead {
 public:
  FATHOM_INLINE Ahead(const uint8_t* at, int64_t bytes, int64_t times)
      : at_(reinterpret_cast<const char*>(at)), end_(at_ + bytes), lines_(times > 0 ? (bytes / 64 + times - 1) / times : 0) {}
  FATHOM_INLINE void step() {
    if (at_ >= end_) return;
    for (int64_t line = 0; line < lines_; ++line) _mm_prefetch(at_ + 64 * line, _MM_HINT_T1);
    at_ += 64 * lines_;
  }

 private:
  const char* at_;
  const char* end_;
  int64_t lines_;
};

// The bytes of rows [first, first + count) of `rows`.
FATHOM_INLINE int64_t bytes_of_rows(const WeightRows& w, int64_t rows, int64_t first, int64_t count) {
  const int64_t last = first + count < rows ? first + count : rows;
  return first < last ? (last - first) * w.row_bytes : 0;
}

FATHOM_INLINE void clear(float* at, int64_t count) {
  for (int64_t k = 0; k < count; k += 8) _mm256_storeu_ps(at + k, _mm256_setzero_ps());
}

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
