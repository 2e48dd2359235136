// Views: shaped windows on memory that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fathom {

// Row-major [rows, cols], rows `stride` elements apart.
template <typename T>
struct Matrix {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  Matrix() = default;
  Matrix(T* data_, std::int64_t rows_, std::int64_t cols_) : data(data_), rows(rows_), cols(cols_), stride(cols_) {}
  Matrix(T* data_, std::int64_t rows_, std::int64_t cols_, std::int64_t stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {}

  // A view that may be written is also one that may be read.
  operator Matrix<const T>() const
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, stride};
  }

  T* row(std::int64_t r) const { return data + r * stride; }
  Matrix slice(std::int64_t first_row, std::int64_t count) const { return {row(first_row), count, cols, stride}; }
};

}  // namespace fathom
