// What the decoders of block formats and the product with 8-bit activations have in common: 16 rows of weights of one group,
// turned so that a lane is a row.
#pragma once

#include "kernels/kernel_table.hpp"
#include "kernels/q8_vectors.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

constexpr int kBlockValues = 32;
constexpr int kGroupBlocks = 8;  // a group: a super-block, or eight blocks of 32
constexpr int kGroupValues = kBlockValues * kGroupBlocks;
static_assert(kGroupValues == kInterleavedColumns);
constexpr int kTileRows = kInterleavedRows;  // rows of weights worked on at once,
constexpr int kParts = kTileRows / kLanes;   // as so many registers

// What a format's product needs; formats override what differs. Besides, a format F has
//   F::terms(rows, blocks, r, tile)   sets all of part r of a tile but its codes, for kLanes rows, as stored or interleaved;
//   F::codes(rows, b, emit)           calls emit(j, d, codes) for columns 4d to 4d + 3 of blocks b + j, j < kStep, of these
//   rows.
struct Traits {
  static constexpr int kStep = 1;          // blocks that are decoded together
  static constexpr int kHead = 0;          // bytes at the beginning of a block of 32 that are its scale, and its offset
  static constexpr bool kSigned = false;   // codes are signed bytes; else unsigned
  static constexpr int kRun = 8;           // unsigned: products of pairs added in 16 bits, 127 * 2 * run * largest code < 2^15
  static constexpr int kBias = 0;          // codes are this much larger than the values they stand for
  static constexpr bool kMin = false;      // values have an offset: one a block, or with factors one for 16 columns
  static constexpr bool kFactors = false;  // each 16 columns have an integer factor
};

// A group of 16 rows. Lane l of register r is row kLanes * r + l.
template <typename F>
struct Tile {
  Ints codes[kGroupBlocks][8][kParts];  // [block][4 columns]: 4 codes a row; signed ones 128 too large where kDotInstruction
  Floats scale[kGroupBlocks][kParts];
  Floats min[F::kMin ? kGroupBlocks : 1][kParts];            // times the sum of the block's activations; with factors only [0]
  Ints factors[F::kFactors ? 2 * kGroupBlocks : 1][kParts];  // of 16 columns: i16 twice a row; where kDotInstruction, floats
  Ints sum_factors[F::kFactors ? kGroupBlocks : 1][kParts];  // what meets the sums of a block's two halves: i16 each
};

// Where the kLanes rows of a part of a tile begin, and the byte of the group in them. In both forms of rows, scales(b) and
// codes(b) say where the first F::kHead bytes of block b are, and the others.
struct Rows {
  static constexpr bool kInterleaved = false;
  const uint8_t* const* of;
  int64_t at;

  FATHOM_INLINE const uint8_t* row(int r, int64_t offset) const { return of[r] + at + offset; }
  template <typename F>
  FATHOM_INLINE int64_t scales(int b) const {
    return b * F::kBytes;
  }
  template <typename F>
  FATHOM_INLINE int64_t codes(int b) const {
    return b * F::kBytes + F::kHead;
  }
};

// The same of interleaved rows, in the order of interleave.hpp: a field that begins at byte o of a row's share of the group
// begins at byte 16 * o of all. With each line that is read, another one of the stream is prefetched.
struct InterleavedRows {
  static constexpr bool kInterleaved = true;
  const uint8_t* group;
  int blocks, part;
  Prefetch how;

  FATHOM_INLINE const uint8_t* field(int64_t offset, int bytes, bool odd = false) const {
    const uint8_t* const all = group + kTileRows * offset;
    _mm_prefetch(reinterpret_cast<const char*>(all) + (odd ? how.odd : how.even), _MM_HINT_T1);
    return all + kLanes * bytes * part;
  }
  template <typename F>
  FATHOM_INLINE int64_t scales(int b) const {
    return b * F::kHead;
  }
  template <typename F>
  FATHOM_INLINE int64_t codes(int b) const {
    return blocks * F::kHead + b * (F::kBytes - F::kHead);
  }
};

// The rows of a tile, as they are stored: the last one stands in for those that are not there.
struct StoredTile {
  static constexpr bool kInterleaved = false;
  StoredTile(const WeightRows& w, int64_t first, int64_t count) {
    for (int64_t r = 0; r < kTileRows; ++r) rows[r] = w.data + (first + (r < count ? r : count - 1)) * w.row_bytes;
  }
  // The group from byte `at` of the rows on.
  FATHOM_INLINE Rows part(int r, int64_t at, int, const Prefetch&) const { return {rows + kLanes * r, at}; }

  const uint8_t* rows[kTileRows];
};

// And interleaved: all are there.
struct InterleavedTile {
  static constexpr bool kInterleaved = true;
  InterleavedTile(const WeightRows& w, int64_t first, int64_t) : rows(w.data + first * w.row_bytes) {}
  FATHOM_INLINE InterleavedRows part(int r, int64_t at, int blocks, const Prefetch& how) const {
    return {rows + kTileRows * at, blocks, r, how};
  }

  const uint8_t* rows;
};

template <typename F>
constexpr int kGroupBytes = kGroupValues / F::kValues * F::kBytes;

FATHOM_INLINE int blocks_at(int64_t column, int64_t cols) {
  return cols - column < kGroupValues ? int((cols - column) / kBlockValues) : kGroupBlocks;
}

// The weights of the next tile, asked for in small steps while this one is multiplied: asked for at once they would fill the
// processor's list of outstanding lines, and what is read now would wait. They are asked for in ascending order, which the
// prefetchers of the second-level cache then continue.
template <typename F>
struct Ahead {
  static constexpr int kTileBytes = kTileRows * (kGroupValues / F::kValues) * F::kBytes;
  static constexpr int kSteps = kParts * kGroupBlocks / F::kStep;  // in a tile whose codes are multiplied as they are decoded
  static constexpr int kTileLines = (kTileBytes + 63) / 64;
  const char* at;
  const char* end;

  FATHOM_INLINE void step() { ask_for((kTileBytes / 64 + kSteps - 1) / kSteps); }

  FATHOM_INLINE void ask_for(int lines) {
    if (at >= end) return;
    for (int line = 0; line < lines; ++line) _mm_prefetch(at + 64 * line, _MM_HINT_T1);
    at += 64 * lines;
  }
};

// 32 bits of each row.
FATHOM_INLINE Ints words32(const InterleavedRows& rows, int64_t offset) { return load_as<Ints>(rows.field(offset, 4)); }
FATHOM_INLINE Ints words32(const Rows& rows, int64_t offset) {
  return from_words32([&](int r) __attribute__((always_inline)) { return load_as<int32_t>(rows.row(r, offset)); });
}

FATHOM_INLINE HalfInts words16(const InterleavedRows& rows, int64_t offset) { return load_as<HalfInts>(rows.field(offset, 2)); }
FATHOM_INLINE HalfInts words16(const Rows& rows, int64_t offset) {
  return from_words16([&](int r) __attribute__((always_inline)) { return load_as<int16_t>(rows.row(r, offset)); });
}

template <typename AnyRows>
FATHOM_INLINE Floats halves(const AnyRows& rows, int64_t offset) {
  return halves_to_floats(words16(rows, offset));
}

// 16 bytes of each row as columns: out[c] holds bytes 4c to 4c + 3 of the rows.
FATHOM_INLINE void columns16(const InterleavedRows& rows, int64_t offset, Ints (&out)[4]) {
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) out[c] = load_as<Ints>(rows.field(offset + 4 * c, 4, c % 2));
}
FATHOM_INLINE void columns16(const Rows& rows, int64_t offset, Ints (&out)[4]) {
  Ints some[4];  // rows r, r + 4 and so on
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r)
    some[r] = quarters([&](int more) __attribute__((always_inline)) { return rows.row(r + more, offset); });
  const Ints even_low = low_pairs32(some[0], some[1]), even_high = high_pairs32(some[0], some[1]);
  const Ints odd_low = low_pairs32(some[2], some[3]), odd_high = high_pairs32(some[2], some[3]);
  out[0] = low_pairs64(even_low, odd_low);
  out[1] = high_pairs64(even_low, odd_low);
  out[2] = low_pairs64(even_high, odd_high);
  out[3] = high_pairs64(even_high, odd_high);
}

FATHOM_INLINE Ints mask(Ints bits, int byte) { return bit_and(bits, all8(int8_t(byte))); }
FATHOM_INLINE Ints low_nibbles(Ints bytes) { return mask(bytes, 15); }
FATHOM_INLINE Ints high_nibbles(Ints bytes) { return mask(shift_right16(bytes, 4), 15); }

// Bits moved left by `by`, or right when it is negative, within 16-bit lanes; callers mask what crosses a byte.
FATHOM_INLINE Ints shift_left(Ints bits, int by) { return by >= 0 ? shift_left16(bits, by) : shift_right16(bits, -by); }

// Byte k of each lane.
FATHOM_INLINE Ints byte_of(Ints lanes, int k) { return bit_and(shift_right32(lanes, 8 * k), all32(255)); }

FATHOM_INLINE Ints look_up(__m128i levels, Ints nibbles) { return shuffle8(repeat(levels), nibbles); }

FATHOM_INLINE __m128i iq4_levels() {
  return _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
}

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
