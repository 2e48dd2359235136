// AMX: integer sums of a block of 16 rows of weights and up to 16 rows of activations by one instruction, or two where factors of 16
// columns part the block. What the codes of 4 columns are in a tile of vectors is what the instruction wants of its second operand.
//
// The processor's tile registers are set up by a call and given back by it: nothing of them lives between calls.
#pragma once

#include "kernels/q8_tile.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

constexpr int kAmxRows = 16;  // rows of activations of a whole tile

// The operand of ldtilecfg (Intel's manual, volume 1, section 18.3).
struct alignas(64) AmxShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// Registers: 0 the sums and 1 the activations of 16 rows; 2 and 3 those of the rows that are left over; 4 codes.
template <typename F>
class AmxTiles {
 public:
  explicit AmxTiles(int64_t m) {  // for m rows of activations
    constexpr int kColumns = F::kFactors ? 16 : 32;  // of an instruction
    AmxShapes shapes;
    const auto shape = [&](int tile, int rows, int bytes) {
      shapes.rows[tile] = uint8_t(rows);
      shapes.row_bytes[tile] = uint16_t(bytes);
    };
    const int rest = int(m % kAmxRows);
    shape(0, kAmxRows, 64);
    shape(1, kAmxRows, kColumns);
    if (rest) {
      shape(2, rest, 64);
      shape(3, rest, kColumns);
    }
    shape(4, kColumns / 4, 64);
    _tile_loadconfig(&shapes);
  }
  ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;
};

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
