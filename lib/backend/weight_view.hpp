// A weight matrix as it lies in memory, in its stored format: whole, or one expert of a stacked tensor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/storage_format.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom {

struct WeightView {
  StorageFormat format = StorageFormat::other;
  std::int64_t rows = 0;  // out
  std::int64_t cols = 0;  // in
  kernels::WeightRows stored;

  std::int64_t bytes() const noexcept { return rows * stored.row_bytes; }
};

// F32 rows of `cols` values, one after another.
inline kernels::WeightRows float_rows(const float* data, std::int64_t cols) noexcept {
  kernels::WeightRows rows;
  rows.data = reinterpret_cast<const std::uint8_t*>(data);
  rows.row_bytes = cols * std::int64_t(sizeof(float));
  rows.cols = cols;
  return rows;
}

}  // namespace fathom
