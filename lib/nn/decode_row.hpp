// One row of a weight matrix as F32, however the matrix lies in memory.
#pragma once

#include <cstdint>

#include "backend/weight_view.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::nn {

// out [w.cols] = row `row` of w. `stored` has room for a row's bytes; an interleaved row is put together there.
inline void decode_row(const kernels::KernelTable& kernels, const WeightView& w, std::int64_t row, void* stored,
                       float* out) noexcept {
  const auto decode = kernels.decode_row[int(w.format)];
  if (!w.stored.interleaved) return decode(w.stored, row, 0, w.cols, out);
  kernels::WeightRows one = w.stored;
  auto* const bytes = static_cast<std::uint8_t*>(stored);
  kernels.take_row[int(w.format)](w.stored, row, bytes);
  one.data = bytes;
  one.interleaved = 0;
  decode(one, 0, 0, w.cols, out);
}

}  // namespace fathom::nn
