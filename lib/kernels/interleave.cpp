#include "kernels/interleave.hpp"

#include <stddef.h>

namespace fathom::kernels {
namespace {

constexpr int64_t kRows = kInterleavedRows;

// Copies a field of `bytes` bytes of all rows.
template <int bytes>
inline uint8_t* copy_field(const uint8_t* const* rows, int64_t at, uint8_t* out) {
  for (int64_t r = 0; r < kRows; ++r) __builtin_memcpy(out + r * bytes, rows[r] + at, bytes);
  return out + kRows * bytes;
}

using Words = int32_t __attribute__((vector_size(16)));

// Copies four fields of 4 bytes: four 4 x 4 matrices of words, turned.
inline uint8_t* copy_four_words(const uint8_t* const* rows, int64_t at, uint8_t* out) {
  for (int64_t part = 0; part < kRows / 4; ++part) {
    Words w[4];
    for (int64_t r = 0; r < 4; ++r) __builtin_memcpy(&w[r], rows[4 * part + r] + at, sizeof w[r]);
    const Words low01 = __builtin_shufflevector(w[0], w[1], 0, 4, 1, 5),
                high01 = __builtin_shufflevector(w[0], w[1], 2, 6, 3, 7);
    const Words low23 = __builtin_shufflevector(w[2], w[3], 0, 4, 1, 5),
                high23 = __builtin_shufflevector(w[2], w[3], 2, 6, 3, 7);
    const Words turned[4] = {
        __builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
        __builtin_shufflevector(high01, high23, 0, 1, 4, 5), __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
    for (int64_t c = 0; c < 4; ++c) __builtin_memcpy(out + 4 * kRows * c + 16 * part, &turned[c], sizeof turned[c]);
  }
  return out + 4 * 4 * kRows;
}

// Fields that follow each other in a block: of 4 bytes, or one of 2.
struct Run {
  int at, bytes;
};

// A block of `values` values, by its runs in the order of use.
template <int values, Run... runs>
struct Block {
  static constexpr int64_t kBytes = (runs.bytes + ...);

  static void interleave(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out) {
    for (int64_t n = first_row; n < last_row; n += kRows) {
      const uint8_t* rows[kRows];
      for (int64_t r = 0; r < kRows; ++r) rows[r] = w.data + (n + r) * w.row_bytes;
      in_order(w.cols, [&]<Run run>(int64_t at) { out = copy_run<run.bytes>(rows, at, out); });
    }
  }

  // The pieces of one row, lane `r` of its tile.
  static void take_row(const WeightRows& w, int64_t row, uint8_t* out) {
    const int64_t r = row % kRows;
    const uint8_t* from = w.data + (row - r) * w.row_bytes;
    in_order(w.cols, [&]<Run run>(int64_t at) {
      constexpr int kField = run.bytes == 2 ? 2 : 4;
      for (int i = 0; i < run.bytes; i += kField, from += kRows * kField)
        __builtin_memcpy(out + at + i, from + r * kField, kField);
    });
  }

 private:
  // Calls visit.operator()<run>(at) for every run of a row, where `at` is its first byte as stored, in the order of interleaved
  // rows.
  template <typename Visit>
  static void in_order(int64_t cols, Visit&& visit) {
    constexpr int64_t kGroupBytes = kInterleavedColumns / values * kBytes;
    const int64_t row_bytes = cols / values * kBytes;
    for (int64_t group = 0; group < row_bytes; group += kGroupBytes) {
      const int64_t end = group + kGroupBytes < row_bytes ? group + kGroupBytes : row_bytes;
      const auto visit_all = [&]<Run run>() {
        for (int64_t block = group; block < end; block += kBytes) visit.template operator()<run>(block + run.at);
      };
      (visit_all.template operator()<runs>(), ...);
    }
  }

  template <int bytes>
  static uint8_t* copy_run(const uint8_t* const* rows, int64_t at, uint8_t* out) {
    if constexpr (bytes == 2) {
      return copy_field<2>(rows, at, out);
    } else {
      int i = 0;
      for (; i + 16 <= bytes; i += 16) out = copy_four_words(rows, at + i, out);
      for (; i < bytes; i += 4) out = copy_field<4>(rows, at + i, out);
      return out;
    }
  }
};

}  // namespace

#define FATHOM_INTERLEAVE(format, ...)                                                               \
  void interleave_##format(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out) { \
    Block<__VA_ARGS__>::interleave(w, first_row, last_row, out);                                     \
  }                                                                                                  \
  void take_row_##format(const WeightRows& w, int64_t row, uint8_t* out) { Block<__VA_ARGS__>::take_row(w, row, out); }

FATHOM_INTERLEAVE(q4_0, 32, Run{0, 2}, Run{2, 16})
FATHOM_INTERLEAVE(q4_1, 32, Run{0, 4}, Run{4, 16})
FATHOM_INTERLEAVE(q5_0, 32, Run{0, 2}, Run{2, 20})
FATHOM_INTERLEAVE(q5_1, 32, Run{0, 4}, Run{4, 20})
FATHOM_INTERLEAVE(q8_0, 32, Run{0, 2}, Run{2, 32})
FATHOM_INTERLEAVE(q2_k, 256, Run{0, 16}, Run{80, 4}, Run{16, 64})
FATHOM_INTERLEAVE(q3_k, 256, Run{96, 12}, Run{108, 2}, Run{0, 32}, Run{32, 64})
FATHOM_INTERLEAVE(q4_k, 256, Run{0, 144})
FATHOM_INTERLEAVE(q5_k, 256, Run{0, 176})
// Scales; then for each quarter of the codes the upper bits of 64 values and the lower ones of 32 and 32.
FATHOM_INTERLEAVE(q6_k, 256, Run{192, 16}, Run{208, 2},    //
                  Run{128, 16}, Run{0, 16}, Run{32, 16},   //
                  Run{144, 16}, Run{16, 16}, Run{48, 16},  //
                  Run{160, 16}, Run{64, 16}, Run{96, 16},  //
                  Run{176, 16}, Run{80, 16}, Run{112, 16})
FATHOM_INTERLEAVE(iq4_nl, 32, Run{0, 2}, Run{2, 16})
FATHOM_INTERLEAVE(iq4_xs, 256, Run{0, 136})

#undef FATHOM_INTERLEAVE

}  // namespace fathom::kernels
