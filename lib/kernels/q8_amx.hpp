// AMX: integer sums of a block of 16 rows of weights and up to 16 rows of activations by one instruction, or two where factors
// of 16 columns part the block. What the codes of 4 columns are in a tile of vectors is what the instruction wants of its
// second operand.
#pragma once

#include "kernels/amx_tiles.hpp"
#include "kernels/q8_tile.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

constexpr int kAmxRows = 16;  // rows of activations of a whole tile

// Registers: 0 the sums and 1 the activations of 16 rows; 2 and 3 those of the rows that are left over; 4 codes. m rows of
// activations.
template <typename F>
AmxShapes shapes_for(int64_t m) {
  constexpr int kColumns = F::kFactors ? 16 : 32;  // of an instruction
  const int64_t rest = m % kAmxRows;
  AmxShapes shapes;
  shapes.set(0, kAmxRows, 64);
  shapes.set(1, kAmxRows, kColumns);
  if (rest) {
    shapes.set(2, rest, 64);
    shapes.set(3, rest, kColumns);
  }
  shapes.set(4, kColumns / 4, 64);
  return shapes;
}

using AmxSums = int32_t[kAmxRows][kTileRows];

// sums = the products of 32 columns, or with factors of 16. The intrinsics want the registers' numbers as literals.
template <bool whole>
FATHOM_INLINE void amx_products(const Ints (*codes)[1], const int8_t* x, int64_t x_stride, AmxSums& sums) {
  _tile_loadd(4, codes, 64);
  if constexpr (whole) {
    _tile_loadd(1, x, x_stride);
    _tile_zero(0);
    _tile_dpbssd(0, 1, 4);
    _tile_stored(0, sums, 64);
  } else {
    _tile_loadd(3, x, x_stride);
    _tile_zero(2);
    _tile_dpbssd(2, 3, 4);
    _tile_stored(2, sums, 64);
  }
}

// The sums of a block: of all columns in `low`, but with factors of the first 16 there.
template <typename F>
struct AmxBlock {
  alignas(64) AmxSums low, high[F::kFactors ? 1 : 0];

  template <bool whole>
  FATHOM_INLINE void multiply(const Ints (*codes)[1], const int8_t* x, int64_t x_stride) {
    amx_products<whole>(codes, x, x_stride, low);
    if constexpr (F::kFactors) amx_products<whole>(codes + 4, x + 16, x_stride, high[0]);
  }

  FATHOM_INLINE Floats total(const Tile<F>& w, int b, int i) const {
    const Floats first = to_floats(_mm512_load_si512(low[i]));
    if constexpr (!F::kFactors) return first;
    const Floats second = to_floats(_mm512_load_si512(high[0][i]));
    return multiply_add(as_floats(w.factors[2 * b + 1][0]), second, multiply_floats(as_floats(w.factors[2 * b][0]), first));
  }
};

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
