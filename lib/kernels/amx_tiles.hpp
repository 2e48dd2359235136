// The tile registers of AMX. They are set up by a call and given back by it: nothing of them lives between calls. For
// instruction-set files alone.
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

class AmxRegisters {
 public:
  FATHOM_INLINE explicit AmxRegisters(const AmxShapes& shapes) { _tile_loadconfig(&shapes); }
  FATHOM_INLINE ~AmxRegisters() { _tile_release(); }
  AmxRegisters(const AmxRegisters&) = delete;
  AmxRegisters& operator=(const AmxRegisters&) = delete;
};

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
