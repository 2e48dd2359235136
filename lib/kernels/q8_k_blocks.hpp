// Formats in super-blocks of 256 values, decoded so that a lane is a row of weights (see Traits).
#pragma once

#include "kernels/q8_tile.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

// The first 16 bytes of Q4_K and Q5_K: d and dmin, and six-bit scales and mins of 8 blocks.
template <typename F, typename AnyRows>
FATHOM_INLINE void set_k_scales(const AnyRows& rows, int r, Tile<F>& out) {
  Ints head[4];
  columns16(rows, 0, head);
  Floats d, dmin;
  split_halves(head[0], d, dmin);
  const Ints top_scales = mask(shift_right16(head[1], 2), 0x30), top_mins = mask(shift_right16(head[2], 2), 0x30);
  const Ints scales[2] = {mask(head[1], 63), bit_or(low_nibbles(head[3]), top_scales)};
  const Ints mins[2] = {mask(head[2], 63), bit_or(high_nibbles(head[3]), top_mins)};
  const Floats minus_dmin = negate(dmin);
#pragma GCC unroll 8
  for (int b = 0; b < kGroupBlocks; ++b) {
    out.scale[b][r] = multiply_floats(d, to_floats(byte_of(scales[b / 4], b % 4)));
    out.min[b][r] = multiply_floats(minus_dmin, to_floats(byte_of(mins[b / 4], b % 4)));
  }
}

struct Q4_K : Traits {
  static constexpr int kValues = 256, kBytes = 144, kStep = 2;
  static constexpr bool kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int, int r, Tile<Q4_K>& out) {
    set_k_scales(rows, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      Ints bytes[4];
      columns16(rows, 16 + 16 * b + 16 * p, bytes);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        emit(0, 4 * p + c, low_nibbles(bytes[c]));
        emit(1, 4 * p + c, high_nibbles(bytes[c]));
      }
    }
  }
};

struct Q5_K : Traits {
  static constexpr int kValues = 256, kBytes = 176, kStep = 2, kRun = 4;
  static constexpr bool kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int, int r, Tile<Q5_K>& out) {
    set_k_scales(rows, r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      Ints bytes[4], fifth[4];
      columns16(rows, 48 + 16 * b + 16 * p, bytes);
      columns16(rows, 16 + 16 * p, fifth);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const Ints bits = shift_right16(fifth[c], b);  // of blocks b and b + 1 lowest
        emit(0, 4 * p + c, bit_or(low_nibbles(bytes[c]), mask(shift_left16(bits, 4), 16)));
        emit(1, 4 * p + c, bit_or(high_nibbles(bytes[c]), mask(shift_left16(bits, 3), 16)));
      }
    }
  }
};

// Signed factors of 16 columns from 4 bytes a row, for blocks 2j and 2j + 1.
template <typename F>
FATHOM_INLINE void set_factors(Ints bytes, int j, int r, Tile<F>& out) {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const int b = 2 * j + h;
    const Ints low = shift_right_signed32(shift_left32(bytes, 24 - 16 * h), 24);
    const Ints high = shift_right_signed32(shift_left32(bytes, 16 - 16 * h), 24);
    const Ints pair = blend_odd16(low, shift_left32(high, 16));
    out.factors[2 * b][r] = kDotInstruction ? as_ints(to_floats(low)) : blend_odd16(low, shift_left32(low, 16));
    out.factors[2 * b + 1][r] = kDotInstruction ? as_ints(to_floats(high)) : blend_odd16(high, shift_left32(high, 16));
    out.sum_factors[b][r] = add16(pair, pair);
  }
}

template <typename F>
FATHOM_INLINE void set_scale(Floats scale, int r, Tile<F>& out) {
#pragma GCC unroll 8
  for (int b = 0; b < kGroupBlocks; ++b) out.scale[b][r] = scale;
}

struct Q6_K : Traits {
  static constexpr int kValues = 256, kBytes = 210, kStep = 4, kRun = 2, kBias = 32;
  static constexpr bool kFactors = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int, int r, Tile<Q6_K>& out) {
    constexpr int kScales = AnyRows::kInterleaved ? 0 : 192;
    Ints factors[4];
    columns16(rows, kScales, factors);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) set_factors(factors[j], j, r, out);
    set_scale(halves(rows, kScales + 16), r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      Ints first[4], second[4], high[4];
      const int64_t quarter = 18 + 24 * b + 48 * p;  // interleaved
      columns16(rows, AnyRows::kInterleaved ? quarter : 128 + 8 * b + 16 * p, high);
      columns16(rows, AnyRows::kInterleaved ? quarter + 16 : 16 * b + 16 * p, first);
      columns16(rows, AnyRows::kInterleaved ? quarter + 32 : 16 * b + 32 + 16 * p, second);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const int d = 4 * p + c;
        const auto top = [&](int q) { return mask(shift_left(high[c], 4 - 2 * q), 0x30); };
        emit(0, d, bit_or(low_nibbles(first[c]), top(0)));
        emit(1, d, bit_or(low_nibbles(second[c]), top(1)));
        emit(2, d, bit_or(high_nibbles(first[c]), top(2)));
        emit(3, d, bit_or(high_nibbles(second[c]), top(3)));
      }
    }
  }
};

// Two-bit planes: blocks 4h + q lie in bits 2q of the 32 bytes h.
FATHOM_INLINE Ints two_bits(Ints bytes, int q) { return mask(shift_right16(bytes, 2 * q), 3); }

struct Q2_K : Traits {
  static constexpr int kValues = 256, kBytes = 84, kStep = 4, kRun = 4;
  static constexpr bool kFactors = true, kMin = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int, int r, Tile<Q2_K>& out) {
    Ints head[4];
    columns16(rows, 0, head);
    const Ints spread = repeat(_mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1));
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      set_factors(low_nibbles(head[j]), j, r, out);
      const Ints mins = high_nibbles(head[j]);
      out.sum_factors[2 * j][r] = shuffle8(mins, spread);
      out.sum_factors[2 * j + 1][r] = shuffle8(shift_right32(mins, 16), spread);
    }
    Floats d, dmin;
    split_halves(words32(rows, AnyRows::kInterleaved ? 16 : 80), d, dmin);
    set_scale(d, r, out);
    out.min[0][r] = negate(dmin);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      Ints bytes[4];
      columns16(rows, (AnyRows::kInterleaved ? 20 : 16) + 8 * b + 16 * p, bytes);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) emit(q, 4 * p + c, two_bits(bytes[c], q));
      }
    }
  }
};

struct Q3_K : Traits {
  static constexpr int kValues = 256, kBytes = 110, kStep = 4, kRun = 4, kBias = 4;
  static constexpr bool kFactors = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int, int r, Tile<Q3_K>& out) {
    // What lies before the factors, then the factors: two times 4 bytes of nibbles, 4 bytes of upper bits.
    Ints tail[4];
    if constexpr (AnyRows::kInterleaved) {
      for (int c = 1; c < 4; ++c) tail[c] = words32(rows, 4 * c - 4);
    } else {
      columns16(rows, 92, tail);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const Ints low = j < 2 ? low_nibbles(tail[1 + j]) : high_nibbles(tail[j - 1]);
      const Ints factors = bit_or(low, mask(shift_left(tail[3], 4 - 2 * j), 0x30));
      set_factors(sub8(factors, all8(32)), j, r, out);
    }
    set_scale(halves(rows, AnyRows::kInterleaved ? 12 : 108), r, out);
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
      Ints bytes[4], third[4];
      constexpr int kThird = AnyRows::kInterleaved ? 14 : 0;
      columns16(rows, kThird + 32 + 8 * b + 16 * p, bytes);
      columns16(rows, kThird + 16 * p, third);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const Ints bits = shift_right16(third[c], b);  // of blocks b to b + 3 lowest
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) {
          emit(q, 4 * p + c, bit_or(two_bits(bytes[c], q), mask(shift_left(bits, 2 - q), 4)));
        }
      }
    }
  }
};

struct IQ4_XS : Traits {
  static constexpr int kValues = 256, kBytes = 136;
  static constexpr bool kSigned = true;
  template <typename AnyRows>
  static FATHOM_INLINE void terms(const AnyRows& rows, int, int r, Tile<IQ4_XS>& out) {
    const Ints low = words32(rows, 4), first = words32(rows, 0), high = shift_right32(first, 16);
    Floats d, unused;
    split_halves(first, d, unused);
#pragma GCC unroll 8
    for (int b = 0; b < kGroupBlocks; ++b) {
      const Ints nibble = bit_and(shift_right32(low, 4 * b), all32(15));
      const Ints top = bit_and(shift_right32(high, 2 * b), all32(3));
      const Ints factor = sub32(bit_or(nibble, shift_left32(top, 4)), all32(32));
      out.scale[b][r] = multiply_floats(d, to_floats(factor));
    }
  }
  template <typename AnyRows, typename Emit>
  static FATHOM_INLINE void codes(const AnyRows& rows, int b, Emit&& emit) {
    Ints bytes[4];
    columns16(rows, 8 + 16 * b, bytes);
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      emit(0, c, look_up(iq4_levels(), low_nibbles(bytes[c])));
      emit(0, 4 + c, look_up(iq4_levels(), high_nibbles(bytes[c])));
    }
  }
};

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
