// The AVX-512 table. This file names functions only, so it is compiled for any processor, and asking for the table is safe.
#include <stdint.h>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

// Defined in interleave.cpp.
#define FATHOM_DECLARE(format, Name, ...)            \
  Pointee<InterleaveRows>::type interleave_##format; \
  Pointee<TakeRow>::type take_row_##format;
FATHOM_INTERLEAVED_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE

// Decoding single rows is no bottleneck, so AVX-512 tables have AVX2's functions for it.
namespace avx2 {
#define FATHOM_DECLARE(format, Name, ...) Pointee<DecodeRow>::type decode_##format;
FATHOM_COMPUTED_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
}  // namespace avx2

// Defined in avx512_matmul_f32.cpp, matmul_q8.cpp, fixed_point.cpp and avx512_vector.cpp.
namespace avx512 {

#define FATHOM_DECLARE(format, Name, ...) Pointee<MatmulF32>::type matmul_f32_##format;
FATHOM_F32_PRODUCT_FORMATS(FATHOM_DECLARE)
FATHOM_DECLARE(q8_0, Q8_0)
#undef FATHOM_DECLARE
#define FATHOM_DECLARE(format, Name, ...) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
Pointee<AccumulateRows>::type accumulate_f32, accumulate_f16, accumulate_bf16, accumulate_q8_0;

Pointee<decltype(FixedPoint::fix_row)>::type fix_row;
Pointee<decltype(FixedPoint::products)>::type fixed_products;
Pointee<decltype(FixedPoint::sums)>::type fixed_sums;

void quantise_row(const float* x, int64_t n, int8_t* values, float* scales, int16_t* sums);
void f32_to_f16(const float* x, int64_t n, uint16_t* out);
void f32_to_bf16(const float* x, int64_t n, uint16_t* out);
void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* y);
void add(float* x, const float* y, int64_t n);
void axpy(float a, const float* x, float* y, int64_t n);
void scale(float a, float* x, int64_t n);
void silu_mul(const float* gate, const float* up, float* y, int64_t n);
void silu_mul_clamped(const float* gate, const float* up, float limit, float* y, int64_t n);
void swiglu_oai(const float* gate, const float* up, float limit, float* y, int64_t n);
float max(const float* x, int64_t n);
float exp_sum(float* x, float shift, int64_t n);
void rope_interleaved(float* x, const float* cos, const float* sin, int64_t n_pairs);
void rope_half(float* x, const float* cos, const float* sin, int64_t n_pairs);

}  // namespace avx512

namespace {

constexpr KernelTable make_table() {
  KernelTable table{};
  table.name = "avx512";
#define FATHOM_ENTER(format, Name, ...) table.matmul_f32[k##Name] = avx512::matmul_f32_##format;
  FATHOM_F32_PRODUCT_FORMATS(FATHOM_ENTER)
  FATHOM_ENTER(q8_0, Q8_0)
#undef FATHOM_ENTER
#define FATHOM_ENTER(format, Name, ...) table.matmul_q8[k##Name] = avx512::matmul_q8_##format;
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
#define FATHOM_ENTER(format, Name, ...)                                                              \
  table.interleave_rows[k##Name] = interleave_##format, table.take_row[k##Name] = take_row_##format, \
  table.prefetch[k##Name] = &kBlockPrefetch;
  FATHOM_INTERLEAVED_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
#define FATHOM_ENTER(format, Name, ...) table.prefetch[k##Name] = &kFloatPrefetch;
  FATHOM_F32_PRODUCT_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  table.accumulate_rows[kF32] = avx512::accumulate_f32;
  table.accumulate_rows[kF16] = avx512::accumulate_f16;
  table.accumulate_rows[kBF16] = avx512::accumulate_bf16;
  table.accumulate_rows[kQ8_0] = avx512::accumulate_q8_0;
#define FATHOM_ENTER(format, Name, ...) table.decode_row[k##Name] = avx2::decode_##format;
  FATHOM_COMPUTED_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  table.fixed_point = {avx512::fix_row, avx512::fixed_products, avx512::fixed_sums};
  table.quantise_row = avx512::quantise_row;
  table.f32_to_f16 = avx512::f32_to_f16;
  table.f32_to_bf16 = avx512::f32_to_bf16;
  table.rms_norm = avx512::rms_norm;
  table.add = avx512::add;
  table.axpy = avx512::axpy;
  table.scale = avx512::scale;
  table.silu_mul = avx512::silu_mul;
  table.silu_mul_clamped = avx512::silu_mul_clamped;
  table.swiglu_oai = avx512::swiglu_oai;
  table.max = avx512::max;
  table.exp_sum = avx512::exp_sum;
  table.rope_interleaved = avx512::rope_interleaved;
  table.rope_half = avx512::rope_half;
  return table;
}

constexpr KernelTable kTable = make_table();

}  // namespace

const KernelTable* avx512_table() { return &kTable; }

}  // namespace fathom::kernels
