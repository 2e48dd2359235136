// Formats in blocks of 32 values, decoded so that a lane is a row of weights (see Traits).
#pragma once

#include "kernels/q8_tile.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

// Sixteen bytes a row whose low nibbles are values 0-15 of the block and whose high ones are 16-31. Calls
// emit(d, nibbles) in an order that keeps few registers busy.
template <typename AnyRows, typename Emit>
FATHOM_INLINE void nibbles32(const AnyRows& rows, int64_t offset, Emit&& emit) {
  Ints bytes[4];
  columns16(rows, offset, bytes);
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    emit(c, low_nibbles(bytes[c]));
    emit(c + 4, high_nibbles(bytes[c]));
  }
}

// Fifth bits of columns 4d to 4d + 3 as 16; bit k of the 32 in each lane belongs to column k.
FATHOM_INLINE Ints fifth_bits(Ints bits, int d) {
  const Ints first_bytes = repeat(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
  const Ints spread = shuffle8(bits, add8(first_bytes, all8(int8_t(d / 2))));
  return where_bit8(spread, all32(d % 2 ? int(0x80402010) : 0x08040201), all8(16));
}

template <typename F, typename AnyRows>
FATHOM_INLINE void set_scales(const AnyRows& rows, int blocks, int r, Tile<F>& out) {
  for (int b = 0; b < blocks; ++b) out.scale[b][r] = halves(rows, rows.template scales<F>(b));
}

template <typename F, typename AnyRows>
FATHOM_INLINE void set_scales_and_mins(const AnyRows& rows, int blocks, int r, Tile<F>& out) {
  for (int b = 0; b < blocks; ++b) split_halves(words32(rows, rows.template scales<F>(b)), out.scale[b][r], out.min[b][r]);
}

struct Q4_0 : Traits {
  static constexpr int kValues = 32, kBytes = 18, kHead = 2, kBias = 8;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q4_0>& out) {
    set_scales(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    nibbles32(rows, rows.template codes<Q4_0>(b), [&](int d, Ints nibbles) { emit(0, d, nibbles); });
  }
};

struct Q4_1 : Traits {
  static constexpr int kValues = 32, kBytes = 20, kHead = 4;
  static constexpr bool kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q4_1>& out) {
    set_scales_and_mins(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    nibbles32(rows, rows.template codes<Q4_1>(b), [&](int d, Ints nibbles) { emit(0, d, nibbles); });
  }
};

struct Q5_0 : Traits {
  static constexpr int kValues = 32, kBytes = 22, kHead = 2, kRun = 4, kBias = 16;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q5_0>& out) {
    set_scales(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    const Ints bits = words32(rows, rows.template codes<Q5_0>(b));
    nibbles32(rows, rows.template codes<Q5_0>(b) + 4,
              [&](int d, Ints nibbles) { emit(0, d, bit_or(nibbles, fifth_bits(bits, d))); });
  }
};

struct Q5_1 : Traits {
  static constexpr int kValues = 32, kBytes = 24, kHead = 4, kRun = 4;
  static constexpr bool kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q5_1>& out) {
    set_scales_and_mins(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    const Ints bits = words32(rows, rows.template codes<Q5_1>(b));
    nibbles32(rows, rows.template codes<Q5_1>(b) + 4,
              [&](int d, Ints nibbles) { emit(0, d, bit_or(nibbles, fifth_bits(bits, d))); });
  }
};

struct Q8_0 : Traits {
  static constexpr int kValues = 32, kBytes = 34, kHead = 2;
  static constexpr bool kSigned = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<Q8_0>& out) {
    set_scales(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      Ints bytes[4];
      columns16(rows, rows.template codes<Q8_0>(b) + 16 * p, bytes);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) emit(0, 4 * p + c, bytes[c]);
    }
  }
};

struct IQ4_NL : Traits {
  static constexpr int kValues = 32, kBytes = 18, kHead = 2;
  static constexpr bool kSigned = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<IQ4_NL>& out) {
    set_scales(rows, blocks, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    nibbles32(rows, rows.template codes<IQ4_NL>(b), [&](int d, Ints nibbles) { emit(0, d, look_up(iq4_levels(), nibbles)); });
  }
};

// Codes are twice the values, plus 12.
struct MXFP4 : Traits {
  static constexpr int kValues = 32, kBytes = 17, kHead = 1, kRun = 4, kBias = 12;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int blocks, int r, Tile<MXFP4>& out) {
    for (int b = 0; b < blocks; ++b) {
      const Ints words = widen(words16(rows, rows.template scales<MXFP4>(b)));
      out.scale[b][r] = half_powers(bit_and(words, all32(255)));
    }
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    const __m128i levels = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    nibbles32(rows, rows.template codes<MXFP4>(b), [&](int d, Ints nibbles) { emit(0, d, look_up(levels, nibbles)); });
  }

  // 2^(e - 128): subnormal for e < 2, NaN for 255.
  static FATHOM_INLINE Floats half_powers(Ints e) {
    const Ints normal = shift_left32(sub32(e, all32(1)), 23);
    const Ints subnormal = shift_left_each32(all32(0x00200000), e);
    const Ints power = where_greater32(all32(2), e, subnormal, normal);
    return as_floats(where_greater32(e, all32(254), all32(0x7fc00000), power));
  }
};

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
