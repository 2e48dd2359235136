// The tile registers of AMX, and how a tile is turned. Registers are set up by a call and given back by it: nothing of them
// lives between calls. For instruction-set files alone.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

// The operand of ldtilecfg (Intel's manual, volume 1, section 18.3).
struct alignas(64) AmxShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  FATHOM_INLINE void set(int tile, int64_t tile_rows, int64_t bytes) {
    rows[tile] = uint8_t(tile_rows);
    row_bytes[tile] = uint16_t(bytes);
  }
};

// All eight registers of 16 rows of 64 bytes.
inline AmxShapes whole_tiles() {
  AmxShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.set(tile, 16, 64);
  return shapes;
}

class AmxRegisters {
 public:
  FATHOM_INLINE explicit AmxRegisters(const AmxShapes& shapes) { _tile_loadconfig(&shapes); }
  FATHOM_INLINE ~AmxRegisters() { _tile_release(); }
  AmxRegisters(const AmxRegisters&) = delete;
  AmxRegisters& operator=(const AmxRegisters&) = delete;
};

// Turns a matrix of 16 rows of 16 lanes.
FATHOM_INLINE void transpose(__m512i (&rows)[16]) {
  __m512i two[16], four[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    two[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    two[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  // four[4 i + c]: lane l has the column 4 l + c of rows 4 i to 4 i + 3
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    four[i] = _mm512_unpacklo_epi64(two[i], two[i + 2]);
    four[i + 1] = _mm512_unpackhi_epi64(two[i], two[i + 2]);
    four[i + 2] = _mm512_unpacklo_epi64(two[i + 1], two[i + 3]);
    four[i + 3] = _mm512_unpackhi_epi64(two[i + 1], two[i + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i low_even = _mm512_shuffle_i32x4(four[c], four[4 + c], 0x88),
                  low_odd = _mm512_shuffle_i32x4(four[c], four[4 + c], 0xdd);
    const __m512i high_even = _mm512_shuffle_i32x4(four[8 + c], four[12 + c], 0x88);
    const __m512i high_odd = _mm512_shuffle_i32x4(four[8 + c], four[12 + c], 0xdd);
    rows[c] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
    rows[8 + c] = _mm512_shuffle_i32x4(low_even, high_even, 0xdd);
    rows[4 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
    rows[12 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
  }
}

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
