#include "kernels/interleave.hpp"

#include <stddef.h>

namespace fathom::kernels {
namespace {

constexpr int64_t kRows = 8;

// Copies a field of `bytes` bytes of 8 rows.
template <int bytes>
inline uint8_t* copy_field(const uint8_t* const* rows, int64_t at, uint8_t* out) {
  for (int64_t r = 0; r < kRows; ++r) __builtin_memcpy(out + r * bytes, rows[r] + at, bytes);
  return out + kRows * bytes;
}

using Words = int32_t __attribute__((vector_size(16)));

// Copies four fields of 4 bytes: two 4 x 4 matrices of words, turned.
inline uint8_t* copy_four_words(const uint8_t* const* rows, int64_t at, uint8_t* out) {
  for (int64_t half = 0; half < 2; ++half) {
    Words w[4];
    for (int64_t r = 0; r < 4; ++r) __builtin_memcpy(&w[r], rows[4 * half + r] + at, sizeof w[r]);
    const Words low01 = __builtin_shufflevector(w[0], w[1], 0, 4, 1, 5), high01 = __builtin_shufflevector(w[0], w[1], 2, 6, 3, 7);
    const Words low23 = __builtin_shufflevector(w[2], w[3], 0, 4, 1, 5), high23 = __builtin_shufflevector(w[2], w[3], 2, 6, 3, 7);
    const Words turned[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                             __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                             __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
    for (int64_t c = 0; c < 4; ++c) __builtin_memcpy(out + 32 * c + 16 * half, &turned[c], sizeof turned[c]);
  }
  return out + 4 * 4 * kRows;
}

// A block is `before` bytes of one field (0 or 2), then `words` fields of 4 bytes, then `after` bytes of one field.
template <int values, int before, int words, int after>
void interleave(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out) {
  constexpr int64_t kBytes = before + 4 * words + after;
  const int64_t blocks = w.cols / values;
  for (int64_t n = first_row; n < last_row; n += kRows) {
    const uint8_t* rows[kRows];
    for (int64_t r = 0; r < kRows; ++r) rows[r] = w.data + (n + r) * w.row_bytes;
    for (int64_t at = 0; at < blocks * kBytes; at += kBytes) {
      if constexpr (before) out = copy_field<2>(rows, at, out);
      int word = 0;
      for (; word + 4 <= words; word += 4) out = copy_four_words(rows, at + before + 4 * word, out);
      for (; word < words; ++word) out = copy_field<4>(rows, at + before + 4 * word, out);
      if constexpr (after) out = copy_field<2>(rows, at + before + 4 * words, out);
    }
  }
}

// The pieces of one row, lane `r` of its group.
template <int values, int before, int words, int after>
void take_row(const WeightRows& w, int64_t row, uint8_t* out) {
  constexpr int64_t kBytes = before + 4 * words + after;
  const int64_t r = row % kRows;
  const uint8_t* group = w.data + (row - r) * w.row_bytes;
  const auto take = [&](int64_t bytes) {
    __builtin_memcpy(out, group + r * bytes, size_t(bytes));
    out += bytes;
    group += kRows * bytes;
  };
  for (int64_t at = 0; at < w.cols / values * kBytes; at += kBytes) {
    if constexpr (before) take(before);
    for (int word = 0; word < words; ++word) take(4);
    if constexpr (after) take(after);
  }
}

}  // namespace

#define FATHOM_INTERLEAVE(format, values, before, words, after)                                            \
  void interleave_##format(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out) {       \
    interleave<values, before, words, after>(w, first_row, last_row, out);                                 \
  }                                                                                                        \
  void take_row_##format(const WeightRows& w, int64_t row, uint8_t* out) {                                 \
    take_row<values, before, words, after>(w, row, out);                                                   \
  }

FATHOM_INTERLEAVE(q4_0, 32, 2, 4, 0)
FATHOM_INTERLEAVE(q4_1, 32, 0, 5, 0)
FATHOM_INTERLEAVE(q5_0, 32, 2, 5, 0)
FATHOM_INTERLEAVE(q5_1, 32, 0, 6, 0)
FATHOM_INTERLEAVE(q8_0, 32, 2, 8, 0)
FATHOM_INTERLEAVE(q2_k, 256, 0, 21, 0)
FATHOM_INTERLEAVE(q3_k, 256, 0, 27, 2)
FATHOM_INTERLEAVE(q4_k, 256, 0, 36, 0)
FATHOM_INTERLEAVE(q5_k, 256, 0, 44, 0)
FATHOM_INTERLEAVE(q6_k, 256, 0, 52, 2)
FATHOM_INTERLEAVE(iq4_nl, 32, 2, 4, 0)
FATHOM_INTERLEAVE(iq4_xs, 256, 0, 34, 0)

#undef FATHOM_INTERLEAVE

}  // namespace fathom::kernels
