// AVX-512: products of block-quantised weights with 8-bit activations. The build compiles this file twice: plain, and with the
// VNNI instructions switched on by its flags.
//
// Every format is brought to the same terms. For block b of 32 columns, row n of w and row i of x:
//   dot_b  = the exact integer sum of code * x.value, with the format's constant offset (and its integer factors of 16 columns,
//            if it has them) taken into it;
//   y[i][n] += float(dot_b) * (scale_b * x.scale_b) + min_b * (x.scale_b * x.sum_b)
// A group is 8 blocks; lane b % 8 of an accumulator collects block b, and the 8 lanes are added at the end of the row. Codes
// are made unsigned, as the instructions want them.
//
// Few rows of activations are multiplied as the weights are decoded (avx512_q8_narrow.hpp); for many rows the weights are first
// decoded into columns (avx512_q8_wide.hpp). Both give the same bits.
#include "kernels/avx512_q8_blocks.hpp"
#include "kernels/avx512_q8_k_blocks.hpp"
#include "kernels/avx512_q8_narrow.hpp"
#include "kernels/avx512_q8_wide.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

template <typename Format>
void matmul(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
            int64_t y_stride) {
  constexpr int64_t kWideFrom = Format::Group::kFactors ? 24 : 16;  // where decoding into columns begins to pay
  const int64_t wide_end = m < kWideFrom ? first_row : last_row - (last_row - first_row) % kWideRows;
  if (first_row < wide_end) {
    const int64_t parts = (m + kWideActivations - 1) / kWideActivations;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t begin = m * part / parts, end = m * (part + 1) / parts;
      matmul_wide<Format>(w, first_row, wide_end, advance(x, begin, 0), end - begin, y + begin * y_stride, y_stride);
    }
  }
  if (wide_end < last_row) matmul_narrow<Format>(w, wide_end, last_row, x, m, y, y_stride);
}

#undef FATHOM_INLINE

}  // namespace

// What the tables are made of.
#define FATHOM_MATMUL(format, Name)                                                                                    \
  void matmul_q8_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, \
                          float* y, int64_t y_stride) {                                                                \
    matmul<Name>(w, first_row, last_row, x, m, y, y_stride);                                                           \
  }

FATHOM_MATMUL(q4_0, Q4_0)
FATHOM_MATMUL(q4_1, Q4_1)
FATHOM_MATMUL(q5_0, Q5_0)
FATHOM_MATMUL(q5_1, Q5_1)
FATHOM_MATMUL(q8_0, Q8_0)
FATHOM_MATMUL(q2_k, Q2_K)
FATHOM_MATMUL(q3_k, Q3_K)
FATHOM_MATMUL(q4_k, Q4_K)
FATHOM_MATMUL(q5_k, Q5_K)
FATHOM_MATMUL(q6_k, Q6_K)
FATHOM_MATMUL(iq4_nl, IQ4_NL)
FATHOM_MATMUL(iq4_xs, IQ4_XS)
FATHOM_MATMUL(mxfp4, MXFP4)

}  // namespace fathom::kernels::FATHOM_NAMESPACE
