#include "nn/latent_heads.hpp"

#include <algorithm>

#include "nn/decode_row.hpp"

namespace fathom::nn {
namespace {

constexpr std::int64_t kTileRows = 16;  // rows decoded at a time where a format has no transposed product of its own

std::size_t quantised_bytes(std::int64_t rows, std::int64_t cols) {
  return std::size_t(rows) * std::size_t(cols + cols / 32 * 4 + cols / 16 * 2) + 128;
}

// Rows [first, first + rows) of w, turned: out [w.cols, rows], as F32. `some_rows` holds kTileRows decoded rows and a stored
// one: what is written then fills lines of the cache.
void decode_transposed(const kernels::KernelTable& kernels, const WeightView& w, std::int64_t first, std::int64_t rows,
                       float* some_rows, float* out) noexcept {
  float* const stored = some_rows + kTileRows * w.cols;
  for (std::int64_t n = 0; n < rows; n += kTileRows) {
    const std::int64_t count = std::min(kTileRows, rows - n);
    for (std::int64_t r = 0; r < count; ++r) decode_row(kernels, w, first + n + r, stored, some_rows + r * w.cols);
    for (std::int64_t k = 0; k < w.cols; ++k) {
      for (std::int64_t r = 0; r < count; ++r) out[k * rows + n + r] = some_rows[r * w.cols + k];
    }
  }
}

// y[i][n - first] = w[n] . x[i] on the stored format.
void stored_product(const kernels::KernelTable& kernels, const WeightView& w, std::int64_t first, std::int64_t last,
                    const float* x, std::int64_t x_stride, std::int64_t rows, float* y, std::int64_t y_stride,
                    std::span<std::byte> scratch) noexcept {
  const int format = int(w.format);
  if (kernels::is_floating(format)) {
    kernels.matmul_f32[format](w.stored, first, last, x, x_stride, rows, y - first, y_stride);
    return;
  }
  const std::int64_t cols = w.cols;
  auto* scales = reinterpret_cast<float*>(scratch.data());
  auto* sums = reinterpret_cast<std::int16_t*>(scales + rows * (cols / 32));
  auto* values = reinterpret_cast<std::int8_t*>(sums + rows * (cols / 16));
  for (std::int64_t i = 0; i < rows; ++i) {
    kernels.quantise_row(x + i * x_stride, cols, values + i * cols, scales + i * (cols / 32), sums + i * (cols / 16));
  }
  kernels.matmul_q8[format](w.stored, first, last, {values, scales, sums, cols}, rows, y - first, y_stride);
}

// y[i] = sum over n of x[i][n] * w[first + n].
void stored_transposed_product(const kernels::KernelTable& kernels, const WeightView& w, std::int64_t first, std::int64_t last,
                               const float* x, std::int64_t x_stride, std::int64_t rows, float* y, std::int64_t y_stride,
                               std::span<std::byte> scratch) noexcept {
  for (std::int64_t i = 0; i < rows; ++i) std::fill_n(y + i * y_stride, w.cols, 0.0f);
  const int format = int(w.format);
  if (kernels.accumulate_rows[format]) {
    kernels.accumulate_rows[format](w.stored, first, last, x, x_stride, rows, y, y_stride);
    return;
  }
  auto* tile = reinterpret_cast<float*>(scratch.data());
  const kernels::WeightRows decoded = float_rows(tile, w.cols);
  for (std::int64_t n = first; n < last; n += kTileRows) {
    const std::int64_t count = std::min(kTileRows, last - n);
    for (std::int64_t r = 0; r < count; ++r) kernels.decode_row[format](w.stored, n + r, 0, w.cols, tile + r * w.cols);
    kernels.accumulate_rows[kernels::kF32](decoded, 0, count, x + (n - first), x_stride, rows, y, y_stride);
  }
}

// The same with everything rounded to BF16, a page of w's rows at a time.
std::size_t bf16_bytes(std::int64_t rows, std::int64_t cols) {
  const std::int64_t floats = (kernels::kBf16PageRows + 1) * cols + rows * kernels::kBf16PageRows;
  return std::size_t(kernels::bf16_page_values(cols)) * sizeof(std::uint16_t) + std::size_t(floats) * sizeof(float);
}

void bf16_transposed_product(const kernels::KernelTable& kernels, const WeightView& w, std::int64_t first, std::int64_t last,
                             const float* x, std::int64_t x_stride, std::int64_t rows, float* y, std::int64_t y_stride,
                             std::span<std::byte> scratch) noexcept {
  constexpr std::int64_t kRows = kernels::kBf16PageRows;
  const kernels::Bf16Attention& by = kernels.attention_bf16;
  auto* const page = reinterpret_cast<std::uint16_t*>(scratch.data());
  auto* const decoded = reinterpret_cast<float*>(page + kernels::bf16_page_values(w.cols));  // [kRows, cols]
  float* const stored = decoded + kRows * w.cols;
  float* const terms = stored + w.cols;  // [rows, kRows]: x's columns
  for (std::int64_t i = 0; i < rows; ++i) std::fill_n(y + i * y_stride, w.cols, 0.0f);
  for (std::int64_t n = first; n < last; n += kRows) {
    const std::int64_t count = std::min(kRows, last - n);
    for (std::int64_t r = 0; r < count; ++r) decode_row(kernels, w, n + r, stored, decoded + r * w.cols);
    by.round_rows[kernels::kF32](float_rows(decoded, w.cols), count, page);
    for (std::int64_t i = 0; i < rows; ++i) {
      float* const out = terms + i * kRows;
      std::fill(std::copy_n(x + i * x_stride + (n - first), count, out), out + kRows, 0.0f);
    }
    by.sums(page, w.cols, w.cols, terms, rows, y, y_stride);
  }
}

}  // namespace

LatentHeads LatentHeads::joined(const LatentShape& shape, const WeightView& kv_b) {
  LatentHeads heads;
  heads.shape_ = shape;
  heads.key_ = heads.value_ = kv_b;
  heads.head_rows_key_ = heads.head_rows_value_ = shape.nope_dim + shape.value_dim;
  heads.value_row_offset_ = shape.nope_dim;
  return heads;
}

LatentHeads LatentHeads::split(const LatentShape& shape, const WeightView& k_b, const WeightView& v_b) {
  LatentHeads heads;
  heads.shape_ = shape;
  heads.key_ = k_b;
  heads.value_ = v_b;
  heads.key_transposed_ = true;
  heads.head_rows_key_ = shape.kv_lora_rank;
  heads.head_rows_value_ = shape.value_dim;
  return heads;
}

std::size_t LatentHeads::scratch_bytes(std::int64_t max_rows) const noexcept {
  const std::size_t tile = std::size_t(kTileRows * shape_.kv_lora_rank) * sizeof(float);
  // of the split form: all keys' rows, turned, some as decoded, one as stored, which takes no more than four bytes a value
  const std::size_t key_rows =
      key_transposed_ ? std::size_t((shape_.kv_lora_rank + kTileRows + 1) * shape_.nope_dim) * sizeof(float) : 0;
  return std::max({tile, key_rows, key_transposed_ ? bf16_bytes(max_rows, shape_.nope_dim) : 0,
                   quantised_bytes(max_rows, shape_.kv_lora_rank), quantised_bytes(max_rows, shape_.nope_dim)});
}

void LatentHeads::absorb_query(const kernels::KernelTable& kernels, std::int64_t head, const float* q, std::int64_t q_stride,
                               std::int64_t rows, float* y, std::int64_t y_stride,
                               std::span<std::byte> scratch) const noexcept {
  const std::int64_t first = head * head_rows_key_;
  if (key_transposed_) {
    stored_product(kernels, key_, first, first + shape_.kv_lora_rank, q, q_stride, rows, y, y_stride, scratch);
  } else {
    stored_transposed_product(kernels, key_, first, first + shape_.nope_dim, q, q_stride, rows, y, y_stride, scratch);
  }
}

void LatentHeads::expand_key(const kernels::KernelTable& kernels, std::int64_t head, const float* c, std::int64_t c_stride,
                             std::int64_t rows, float* y, std::int64_t y_stride, std::span<std::byte> scratch,
                             bool in_bf16) const noexcept {
  const std::int64_t first = head * head_rows_key_, rank = shape_.kv_lora_rank, nope = shape_.nope_dim;
  if (!key_transposed_) return stored_product(kernels, key_, first, first + nope, c, c_stride, rows, y, y_stride, scratch);
  if (in_bf16) return bf16_transposed_product(kernels, key_, first, first + rank, c, c_stride, rows, y, y_stride, scratch);
  auto* w_uk = reinterpret_cast<float*>(scratch.data());
  decode_transposed(kernels, key_, first, rank, w_uk + nope * rank, w_uk);
  kernels.matmul_f32[kernels::kF32](float_rows(w_uk, rank), 0, nope, c, c_stride, rows, y, y_stride);
}

void LatentHeads::expand_value(const kernels::KernelTable& kernels, std::int64_t head, const float* u, std::int64_t u_stride,
                               std::int64_t rows, float* y, std::int64_t y_stride,
                               std::span<std::byte> scratch) const noexcept {
  const std::int64_t first = head * head_rows_value_ + value_row_offset_;
  stored_product(kernels, value_, first, first + shape_.value_dim, u, u_stride, rows, y, y_stride, scratch);
}

}  // namespace fathom::nn
