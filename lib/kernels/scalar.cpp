// The scalar table: always built, and the definition of right for the others. Weights are read through one decoder a format.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/kernel_table.hpp"
#include "kernels/scalar_blocks.hpp"
#include "kernels/scalar_fixed_point.hpp"
#include "kernels/scalar_vector.hpp"

namespace fathom::kernels {
namespace {

const std::uint8_t* row_bytes(const WeightRows& w, std::int64_t row) { return w.data + row * w.row_bytes; }

// The factor that lies beside the weights; 1 where there is none.
float factor_at(const WeightRows& w, std::int64_t row, std::int64_t col) {
  if (!w.scales) return 1.0f;
  const std::int64_t index = row / w.scale_rows * w.scale_stride + col / w.scale_cols;
  if (w.scale_is_e8m0) return e8m0_to_f32(static_cast<const std::uint8_t*>(w.scales)[index]);
  float factor;
  std::memcpy(&factor, static_cast<const std::uint8_t*>(w.scales) + 4 * index, sizeof factor);
  return factor;
}

void decode_f32(const WeightRows& w, std::int64_t row, std::int64_t first_col, std::int64_t count, float* out) {
  std::memcpy(out, row_bytes(w, row) + 4 * first_col, std::size_t(4 * count));
}

void decode_f16(const WeightRows& w, std::int64_t row, std::int64_t first_col, std::int64_t count, float* out) {
  const std::uint8_t* at = row_bytes(w, row) + 2 * first_col;
  for (std::int64_t k = 0; k < count; ++k) out[k] = load_f16(at + 2 * k);
}

void decode_bf16(const WeightRows& w, std::int64_t row, std::int64_t first_col, std::int64_t count, float* out) {
  const std::uint8_t* at = row_bytes(w, row) + 2 * first_col;
  for (std::int64_t k = 0; k < count; ++k) out[k] = bf16_to_f32(std::uint16_t(at[2 * k] | at[2 * k + 1] << 8));
}

void decode_f8_e4m3(const WeightRows& w, std::int64_t row, std::int64_t first_col, std::int64_t count, float* out) {
  const std::uint8_t* at = row_bytes(w, row);
  for (std::int64_t k = first_col; k < first_col + count; ++k) *out++ = e4m3_to_f32(at[k]) * factor_at(w, row, k);
}

void decode_f4_e2m1(const WeightRows& w, std::int64_t row, std::int64_t first_col, std::int64_t count, float* out) {
  const std::uint8_t* at = row_bytes(w, row);
  for (std::int64_t k = first_col; k < first_col + count; ++k) {
    *out++ = kE2M1[at[k / 2] >> 4 * (k % 2) & 15] * factor_at(w, row, k);
  }
}

template <typename Block>
void decode_blocks(const WeightRows& w, std::int64_t row, std::int64_t first_col, std::int64_t count, float* out) {
  const std::uint8_t* at = row_bytes(w, row) + first_col / Block::kValues * Block::kBytes;
  Unpacked block;
  for (std::int64_t k = 0; k < count; k += Block::kValues, at += Block::kBytes) {
    Block::unpack(at, block);
    for (int j = 0; j < Block::kValues; ++j) out[k + j] = block.scales[j / 16] * float(block.codes[j]) + block.offsets[j / 16];
  }
}

// Columns decoded at a time; a multiple of every block.
constexpr std::int64_t kPiece = 256;

template <DecodeRow decode>
void matmul_f32(const WeightRows& w, std::int64_t first_row, std::int64_t last_row, const float* x, std::int64_t x_stride,
                std::int64_t m, float* y, std::int64_t y_stride) {
  float weights[kPiece];
  for (std::int64_t n = first_row; n < last_row; ++n) {
    for (std::int64_t i = 0; i < m; ++i) y[i * y_stride + n] = 0.0f;
    for (std::int64_t first = 0; first < w.cols; first += kPiece) {
      const std::int64_t count = std::min(kPiece, w.cols - first);
      decode(w, n, first, count, weights);
      for (std::int64_t i = 0; i < m; ++i) {
        float sum = y[i * y_stride + n];
        for (std::int64_t k = 0; k < count; ++k) sum += weights[k] * x[i * x_stride + first + k];
        y[i * y_stride + n] = sum;
      }
    }
  }
}

template <DecodeRow decode>
void accumulate_rows(const WeightRows& w, std::int64_t first_row, std::int64_t last_row, const float* x, std::int64_t x_stride,
                     std::int64_t m, float* y, std::int64_t y_stride) {
  float weights[kPiece];
  for (std::int64_t n = first_row; n < last_row; ++n) {
    for (std::int64_t first = 0; first < w.cols; first += kPiece) {
      const std::int64_t count = std::min(kPiece, w.cols - first);
      decode(w, n, first, count, weights);
      for (std::int64_t i = 0; i < m; ++i) {
        scalar::axpy(x[i * x_stride + n - first_row], weights, y + i * y_stride + first, count);
      }
    }
  }
}

// One block of weights with row i of the activations, which begins at column `first`.
template <typename Block>
float dot_block(const Unpacked& block, const QuantisedRows& x, std::int64_t i, std::int64_t first) {
  const std::int8_t* values = x.values + i * x.cols + first;
  const float* scales = x.scales + (i * x.cols + first) / 32;
  const std::int16_t* sums = x.sums + (i * x.cols + first) / 16;
  float total = 0.0f;
  for (int g = 0; g < Block::kValues / 16; ++g) {
    int dot = 0;
    for (int k = 16 * g; k < 16 * g + 16; ++k) dot += int(block.codes[k]) * int(values[k]);
    total += (block.scales[g] * float(dot) + block.offsets[g] * float(sums[g])) * scales[g / 2];
  }
  return total;
}

template <typename Block>
void matmul_q8(const WeightRows& w, std::int64_t first_row, std::int64_t last_row, const QuantisedRows& x, std::int64_t m,
               float* y, std::int64_t y_stride) {
  Unpacked block;
  for (std::int64_t n = first_row; n < last_row; ++n) {
    for (std::int64_t i = 0; i < m; ++i) y[i * y_stride + n] = 0.0f;
    const std::uint8_t* at = row_bytes(w, n);
    for (std::int64_t first = 0; first < w.cols; first += Block::kValues, at += Block::kBytes) {
      Block::unpack(at, block);
      for (std::int64_t i = 0; i < m; ++i) y[i * y_stride + n] += dot_block<Block>(block, x, i, first);
    }
  }
}

template <typename Block>
constexpr void add_quantised(KernelTable& table, Format format) {
  table.matmul_q8[format] = matmul_q8<Block>;
  table.decode_row[format] = decode_blocks<Block>;
}

template <DecodeRow decode>
constexpr void add_float(KernelTable& table, Format format) {
  table.matmul_f32[format] = matmul_f32<decode>;
  table.decode_row[format] = decode;
}

constexpr KernelTable make_table() {
  KernelTable table{};
  table.name = "scalar";
#define FATHOM_ENTER(format, Name, ...) add_float<decode_##format>(table, k##Name);
  FATHOM_FLOATING_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
#define FATHOM_ENTER(format, Name, values, bytes)                  \
  static_assert(Name::kValues == values && Name::kBytes == bytes); \
  add_quantised<Name>(table, k##Name);
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  add_float<decode_blocks<MXFP4>>(table, kMXFP4);
  // What caches have.
  table.accumulate_rows[kF32] = accumulate_rows<decode_f32>;
  table.accumulate_rows[kF16] = accumulate_rows<decode_f16>;
  table.accumulate_rows[kBF16] = accumulate_rows<decode_bf16>;
  table.matmul_f32[kQ8_0] = matmul_f32<decode_blocks<Q8_0>>;
  table.accumulate_rows[kQ8_0] = accumulate_rows<decode_blocks<Q8_0>>;
  table.fixed_point = {scalar::fix_row, scalar::fixed_products, scalar::fixed_sums};
  table.quantise_row = scalar::quantise_row;
  table.f32_to_f16 = scalar::f32_to_f16;
  table.f32_to_bf16 = scalar::f32_to_bf16;
  table.rms_norm = scalar::rms_norm;
  table.add = scalar::add;
  table.axpy = scalar::axpy;
  table.scale = scalar::scale;
  table.silu_mul = scalar::silu_mul;
  table.silu_mul_clamped = scalar::silu_mul_clamped;
  table.swiglu_oai = scalar::swiglu_oai;
  table.max = scalar::max;
  table.exp_sum = scalar::exp_sum;
  table.rope_interleaved = scalar::rope_interleaved;
  table.rope_half = scalar::rope_half;
  return table;
}

constexpr KernelTable kTable = make_table();

}  // namespace

const KernelTable* scalar_table() { return &kTable; }

}  // namespace fathom::kernels
