// What every GEMM back end owes, as functions of the back end: the tests call them for each one and each table.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "backend/gemm_backend.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::test {

struct GemmCase {
  StorageFormat format;
  std::int64_t rows, cols;
  Factors factors = Factors::none;
  std::int32_t tile_rows = 1, tile_cols = 32;
};

// Every format that fathom computes with, at `rows` and one column count that its blocks allow.
inline std::vector<GemmCase> gemm_cases(std::int64_t rows, std::int64_t cols) {
  using enum StorageFormat;
  std::vector<GemmCase> cases;
  for (const StorageFormat format : {f32, f16, bf16}) cases.push_back({format, rows, cols});
  cases.push_back({f8_e4m3, rows, cols, Factors::f32_tiles, 128, 128});
  cases.push_back({f4_e2m1, rows, cols / 32 * 32, Factors::e8m0_tiles, 1, 32});
  for (const StorageFormat format : {q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4}) {
    const std::int64_t block = storage_layout(format).block_values;
    cases.push_back({format, rows, (cols + block - 1) / block * block});
  }
  return cases;
}

// Weights, activations, and the product in double precision with what bounds its rounding.
class GemmSample {
 public:
  GemmSample(const GemmCase& c, std::int64_t max_rows, std::uint64_t seed, std::int64_t padding = 0)
      : GemmSample(c, max_rows, Rng(seed), padding) {}

  WeightView weights() const { return {w_.format(), w_.rows(), w_.cols(), w_.view()}; }
  std::int64_t max_rows() const { return quantised_.rows; }

  Activations activations(std::int64_t first, std::int64_t count) const {
    Activations all{{x_.get(), max_rows(), w_.cols(), stride_}, {}, {}};
    if (w_.cols() % 32 == 0) all.quantised = quantised_.view();
    if (w_.cols() % 32 == 0) all.bf16 = bf16_.view();
    return all.slice(first, count);
  }

  // Is y[i][n] right, with activations in this form?
  bool close(float y, std::int64_t i, std::int64_t n, ActivationForm form) const {
    const std::size_t at = std::size_t(i * w_.rows() + n);
    const double expected = form == ActivationForm::quantised ? quantised_product_[at] : product_[at];
    // Each term passes through at most cols additions and a few products with factors, each off by half a unit at most.
    double bound = double(w_.cols() + 16) * 0x1p-24;
    // Weights and activations are off by half a unit of BF16 each, or there are as many sums as terms.
    if (form == ActivationForm::bf16) bound += 3 * 0x1p-9;
    if (form == ActivationForm::bf16_terms) bound *= kernels::kBf16Terms;
    return std::fabs(double(y) - expected) <= bound * magnitude_[at];
  }

 private:
  GemmSample(const GemmCase& c, std::int64_t max_rows, Rng rng, std::int64_t padding)
      : w_(c.format, c.rows, c.cols, rng, c.factors, c.tile_rows, c.tile_cols),
        stride_(c.cols + padding),
        x_(random_floats(std::size_t(max_rows * stride_), rng)),
        quantised_(without_padding(max_rows), max_rows, c.cols / 32 * 32),
        bf16_(without_padding(max_rows), max_rows, c.cols / 32 * 32) {
    for (std::int64_t i = 0; i < max_rows; ++i) {
      for (std::int64_t n = 0; n < c.rows; ++n) add_reference(i, n);
    }
  }

  Exact<float> without_padding(std::int64_t rows) const {
    const std::int64_t cols = w_.cols() / 32 * 32;
    Exact<float> packed(std::size_t(rows * cols));
    for (std::int64_t i = 0; i < rows; ++i) std::copy_n(x_.get() + i * stride_, cols, packed.get() + i * cols);
    return packed;
  }

  void add_reference(std::int64_t i, std::int64_t n) {
    double product = 0, rounded = 0, magnitude = 0;
    for (std::int64_t k = 0; k < w_.cols(); ++k) {
      const double w = w_.value(n, k), offset = w_.offset(n, k);
      const double x = x_[std::size_t(i * stride_ + k)], q = k < quantised_.cols ? double(quantised_.value(i, k)) : 0;
      product += w * x;
      rounded += w * q;
      magnitude += (std::fabs(w - offset) + std::fabs(offset)) * std::max(std::fabs(x), std::fabs(q));
    }
    product_.push_back(product);
    quantised_product_.push_back(rounded);
    magnitude_.push_back(magnitude);
  }

  SampleMatrix w_;
  std::int64_t stride_;
  Exact<float> x_;
  SampleQuantised quantised_;
  SampleBf16 bf16_;
  std::vector<double> product_, quantised_product_, magnitude_;
};

// A result with marked columns on both sides of every row.
struct GemmOutput {
  static constexpr float kMarker = -12345.0f;
  static constexpr std::int64_t kGuard = 5;

  GemmOutput(std::int64_t rows_, std::int64_t cols_)
      : rows(rows_), cols(cols_), stride(cols_ + 2 * kGuard), data(std::size_t(rows_ * stride)) {
    std::fill_n(data.get(), data.size, kMarker);
  }
  Matrix<float> view() const { return {data.get() + kGuard, rows, cols, stride}; }
  Matrix<float> view(std::int64_t first_row, std::int64_t count) const { return view().slice(first_row, count); }
  // Is everything outside columns [first, last) untouched, and nothing inside left out?
  bool wrote_exactly(std::int64_t first, std::int64_t last) const {
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t n = -kGuard; n < cols + kGuard; ++n) {
        if ((view().row(i)[n] != kMarker) != (n >= first && n < last)) return false;
      }
    }
    return true;
  }
  bool operator==(const GemmOutput& other) const {
    return data.size == other.data.size && !std::memcmp(data.get(), other.data.get(), data.size * sizeof(float));
  }

  std::int64_t rows, cols, stride;
  Exact<float> data;
};

// Scratch of exactly the size asked for: AddressSanitizer sees a byte too far, and the pattern behind it does without.
class GemmScratch {
 public:
  explicit GemmScratch(std::size_t bytes)
      : bytes_(bytes), buffer_(heap_allocator(), bytes + kGuardBytes, MemoryPurpose::scratch) {
    std::memset(buffer_.data(), 0xff, bytes);  // NaN: nothing may count on cleared scratch
    std::memset(buffer_.data() + bytes, kPattern, kGuardBytes);
  }
  std::span<std::byte> span() const { return {buffer_.data(), bytes_}; }
  bool guard_holds() const {
    return std::all_of(buffer_.data() + bytes_, buffer_.data() + bytes_ + kGuardBytes,
                       [](std::byte b) { return b == std::byte(kPattern); });
  }

 private:
  static constexpr std::size_t kGuardBytes = 4096;
  static constexpr int kPattern = 0x5a;
  std::size_t bytes_;
  Buffer buffer_;
};

struct GemmRun {
  const GemmBackend& backend;
  const GemmSample& sample;
  std::unique_ptr<PackedMatrix> matrix;

  GemmRun(const GemmBackend& backend_, const GemmSample& sample_)
      : backend(backend_), sample(sample_), matrix(backend_.pack(sample_.weights(), sample_.max_rows(), heap_allocator())) {}

  // y = rows [first_row, first_row + y.rows) of x by columns [first, last).
  void operator()(std::int64_t first_row, Matrix<float> y, std::int64_t first, std::int64_t last) const {
    const GemmScratch scratch(backend.scratch_bytes(*matrix, y.rows));
    backend.multiply(sample.activations(first_row, y.rows), *matrix, y, first, last, scratch.span());
    REQUIRE(scratch.guard_holds());
  }
};

inline bool all_close(const GemmRun& run, const GemmOutput& y, std::int64_t first, std::int64_t last) {
  const ActivationForm form = run.backend.reads(run.sample.weights().format);
  for (std::int64_t i = 0; i < y.rows; ++i) {
    for (std::int64_t n = first; n < last; ++n) {
      if (!run.sample.close(y.view().row(i)[n], i, n, form)) return false;
    }
  }
  return true;
}

// Right for every row count, and written where asked and nowhere else.
inline void check_products(const GemmRun& run, std::initializer_list<std::int64_t> row_counts) {
  const std::int64_t columns = run.sample.weights().rows;
  for (const std::int64_t m : row_counts) {
    CAPTURE(m);
    const std::pair<std::int64_t, std::int64_t> ranges[] = {{0, columns}, {columns / 3, columns}, {1, columns - 1}, {2, 2}};
    for (const auto& [first, last] : ranges) {
      if (first > last) continue;
      GemmOutput y(m, columns);
      run(0, y.view(), first, last);
      CHECK(y.wrote_exactly(first, last));
      CHECK(all_close(run, y, first, last));
    }
  }
}

inline void check_column_cuts(const GemmRun& run, std::int64_t m) {
  const std::int64_t columns = run.sample.weights().rows;
  GemmOutput whole(m, columns);
  run(0, whole.view(), 0, columns);
  for (const std::int64_t step : {1, 7, 64}) {
    GemmOutput cut(m, columns);
    for (std::int64_t n = 0; n < columns; n += step) run(0, cut.view(), n, std::min(n + step, columns));
    CHECK(cut == whole);
  }
}

inline void check_row_cuts(const GemmRun& run, std::int64_t m) {
  const std::int64_t columns = run.sample.weights().rows;
  GemmOutput whole(m, columns);
  run(0, whole.view(), 0, columns);
  for (const std::int64_t step : {1, 5, 64}) {
    GemmOutput cut(m, columns);
    for (std::int64_t i = 0; i < m; i += step) run(i, cut.view(i, std::min(step, m - i)), 0, columns);
    CHECK(cut == whole);
  }
}

// Threads on one matrix at once, each with its own scratch, get the bits that one alone gets.
inline void check_threads(const GemmRun& run, std::int64_t m) {
  const std::int64_t columns = run.sample.weights().rows;
  GemmOutput alone(m, columns);
  run(0, alone.view(), 0, columns);
  std::vector<GemmOutput> results;
  for (int t = 0; t < 2; ++t) results.emplace_back(m, columns);
  std::vector<std::thread> threads;
  for (GemmOutput& y : results) {
    threads.emplace_back([&run, &y, columns, m] {
      const GemmScratch scratch(run.backend.scratch_bytes(*run.matrix, m));
      for (int round = 0; round < 3; ++round) {
        run.backend.multiply(run.sample.activations(0, m), *run.matrix, y.view(), 0, columns, scratch.span());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const GemmOutput& y : results) CHECK(y == alone);
}

// Weights that no back end may accept: unknown formats, and shapes that the blocks do not divide.
inline void check_refusals(const GemmBackend& backend) {
  const auto accepts = [&](StorageFormat format, std::int64_t rows, std::int64_t cols) {
    return backend.accepts({format, rows, cols, {}});
  };
  using enum StorageFormat;
  for (const StorageFormat format : {f64, q8_1, q8_k, iq1_s, i8, u64, boolean, f8_e5m2, other}) {
    CAPTURE(std::string(storage_layout(format).name));
    CHECK_FALSE(accepts(format, 8, 256));
  }
  CHECK_FALSE(accepts(q4_k, 8, 255));
  CHECK_FALSE(accepts(q8_0, 8, 33));
  CHECK_FALSE(accepts(mxfp4, 8, 16));
  CHECK_FALSE(accepts(f32, 0, 32));
  CHECK_FALSE(accepts(f32, 8, 0));
}

}  // namespace fathom::test
