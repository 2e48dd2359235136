// Weight matrices and activations for kernel tests, in memory of exactly their size: a kernel that reads or writes one byte
// beyond them ends the test, in every build.
#pragma once

#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "base/float_types.hpp"
#include "base/rng.hpp"
#include "base/storage_format.hpp"
#include "kernels/kernel_table.hpp"
#include "quant/formats.hpp"
#include "support/guarded_memory.hpp"
#include "unit/quant/sample_blocks.hpp"

namespace fathom::test {

// Zeros, with no slack behind the last element, unlike a vector's capacity.
template <typename T>
struct Exact {
  explicit Exact(std::size_t count) : size(count), memory(count * sizeof(T)) {}
  T* get() const { return static_cast<T*>(memory.data()); }
  T& operator[](std::size_t i) const { return get()[i]; }
  std::size_t size;
  GuardedMemory memory;
};

enum class Factors { none, f32_tiles, e8m0_tiles };

inline bool is_blocked(StorageFormat format) { return block_fields(format) != nullptr; }

// Random weights of a format with everything a product needs, and their values in F32 by lib/quant.
class SampleMatrix {
 public:
  // tile_rows x tile_cols weights share a factor where `factors` says there are some.
  SampleMatrix(StorageFormat format, std::int64_t rows, std::int64_t cols, Rng& rng, Factors factors = Factors::none,
               std::int32_t tile_rows = 1, std::int32_t tile_cols = 32)
      : format_(format), rows_(rows), cols_(cols), bytes_(0), factors_(0) {
    const StorageLayout& layout = storage_layout(format);
    const std::vector<std::byte> random = random_weights(format, std::size_t(rows * cols), rng);
    bytes_ = Exact<std::byte>(random.size());
    std::memcpy(bytes_.get(), random.data(), random.size());
    view_.data = reinterpret_cast<const std::uint8_t*>(bytes_.get());
    view_.row_bytes = cols / layout.block_values * layout.block_bytes;
    view_.cols = cols;
    if (factors != Factors::none) add_factors(factors, tile_rows, tile_cols, rng);
    decode_values();
  }

  StorageFormat format() const { return format_; }
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  const kernels::WeightRows& view() const { return view_; }
  float value(std::int64_t row, std::int64_t col) const { return values_[std::size_t(row * cols_ + col)]; }
  // The part of the value that a kernel may add apart from code times factor.
  float offset(std::int64_t row, std::int64_t col) const { return offsets_[std::size_t(row * cols_ + col)]; }

 private:
  void add_factors(Factors kind, std::int32_t tile_rows, std::int32_t tile_cols, Rng& rng) {
    const std::int64_t tiles_down = (rows_ + tile_rows - 1) / tile_rows, tiles_across = (cols_ + tile_cols - 1) / tile_cols;
    const std::size_t tiles = std::size_t(tiles_down * tiles_across);
    view_.scale_stride = tiles_across;
    view_.scale_rows = tile_rows;
    view_.scale_cols = tile_cols;
    view_.scale_is_e8m0 = kind == Factors::e8m0_tiles;
    factors_ = Exact<std::byte>(view_.scale_is_e8m0 ? tiles : 4 * tiles);
    view_.scales = factors_.get();
    for (std::size_t t = 0; t < tiles; ++t) {
      const float factor = uniform(rng, 0.01f, 0.05f);
      if (view_.scale_is_e8m0)
        factors_[t] = std::byte(118 + rng.next() % 6);
      else
        std::memcpy(factors_.get() + 4 * t, &factor, 4);
    }
  }

  float factor(std::int64_t row, std::int64_t col) const {
    if (!view_.scales) return 1.0f;
    const std::int64_t index = row / view_.scale_rows * view_.scale_stride + col / view_.scale_cols;
    if (view_.scale_is_e8m0) return e8m0_to_f32(std::uint8_t(factors_[std::size_t(index)]));
    float value;
    std::memcpy(&value, factors_.get() + 4 * index, 4);
    return value;
  }

  void decode_values() {
    std::vector<std::byte> bytes(bytes_.get(), bytes_.get() + bytes_.size);
    values_.resize(std::size_t(rows_ * cols_));
    offsets_.resize(values_.size());
    quant::decode(format_, bytes, values_);
    for (std::int64_t i = 0; i < rows_ * cols_; ++i) values_[std::size_t(i)] *= factor(i / cols_, i % cols_);
    if (!is_blocked(format_)) return;
    clear_codes(format_, bytes);
    quant::decode(format_, bytes, offsets_);
  }

  StorageFormat format_;
  std::int64_t rows_, cols_;
  Exact<std::byte> bytes_, factors_;
  kernels::WeightRows view_;
  std::vector<float> values_, offsets_;
};

inline Exact<float> random_floats(std::size_t count, Rng& rng) {
  Exact<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = uniform(rng, -2.0f, 2.0f);
  return x;
}

// Rows rounded to 8 bits by the scalar table.
struct SampleQuantised {
  SampleQuantised(const Exact<float>& x, std::int64_t rows_, std::int64_t cols_)
      : rows(rows_), cols(cols_), values(x.size), scales(x.size / 32), sums(x.size / 16) {
    for (std::int64_t i = 0; i < rows; ++i) {
      kernels::scalar_table()->quantise_row(x.get() + i * cols, cols, values.get() + i * cols, scales.get() + i * cols / 32,
                                            sums.get() + i * cols / 16);
    }
  }

  // Row `first` and `count` - 1 after it.
  kernels::QuantisedRows view(std::int64_t first = 0) const {
    return {values.get() + first * cols, scales.get() + first * cols / 32, sums.get() + first * cols / 16, cols};
  }
  float value(std::int64_t row, std::int64_t col) const {
    const std::size_t at = std::size_t(row * cols + col);
    return float(values[at]) * scales[at / 32];
  }

  std::int64_t rows, cols;
  Exact<std::int8_t> values;
  Exact<float> scales;
  Exact<std::int16_t> sums;
};

// Activations in BF16, all terms, with the rows behind them that kernels may read.
struct SampleBf16 {
  SampleBf16(const Exact<float>& x, std::int64_t rows, std::int64_t cols_)
      : cols(cols_),
        stride(cols_ + 32),
        term_stride((rows + kernels::kBf16Rows) * stride),
        values(std::size_t(kernels::kBf16Terms * term_stride)) {
    for (std::size_t i = 0; i < values.size; ++i) values[i] = 0x7fc0;  // NaN: what lies between and behind rows means nothing
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t k = 0; k < cols; ++k) {
        float left = x[std::size_t(i * cols + k)];
        for (int term = 0; term < kernels::kBf16Terms; ++term) {
          values[at(term, i, k)] = f32_to_bf16(left);
          left -= bf16_to_f32(values[at(term, i, k)]);
        }
      }
    }
  }

  kernels::Bf16Rows view(std::int64_t first = 0) const { return {values.get() + first * stride, stride, term_stride}; }
  std::size_t at(int term, std::int64_t row, std::int64_t col) const {
    return std::size_t(term * term_stride + row * stride + col);
  }
  // As block formats take it.
  double rounded(std::int64_t row, std::int64_t col) const { return double(bf16_to_f32(values[at(0, row, col)])); }

  std::int64_t cols, stride, term_stride;
  Exact<std::uint16_t> values;
};

// A sample matrix a second time, interleaved; the table has a way to do it.
struct Interleaved {
  Interleaved(const kernels::KernelTable& table, const SampleMatrix& w)
      : bytes(std::size_t(w.rows() * w.view().row_bytes)), view(w.view()) {
    table.interleave_rows[int(w.format())](w.view(), 0, w.rows(), bytes.get());
    view.data = bytes.get();
    view.interleaved = 1;
  }
  Exact<std::uint8_t> bytes;
  kernels::WeightRows view;
};

}  // namespace fathom::test
