// The table of processors with AMX: products with many rows of activations go by tiles (matmul_q8.cpp compiled for these instructions, and
// amx_matmul_bf16.cpp), and attention to latents.
#include "kernels/kernel_table.hpp"
#include "kernels/q8_formats.hpp"

namespace fathom::kernels {

namespace amx_int8 {
#define FATHOM_DECLARE(format, Name) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
#define FATHOM_DECLARE(format, Name) Pointee<MatmulBf16>::type matmul_bf16_##format;
FATHOM_INTERLEAVED_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
Pointee<MatmulBf16>::type matmul_bf16_bf16, matmul_bf16_f8_e4m3, matmul_bf16_mxfp4;
Pointee<decltype(KernelTable::split_bf16)>::type split_bf16;
Pointee<AttendBf16>::type attention_products_f32, attention_products_f16, attention_products_bf16;
Pointee<AttendBf16>::type attention_sums_f32, attention_sums_f16, attention_sums_bf16;
Pointee<decltype(FixedPoint::products)>::type fixed_products;
Pointee<decltype(FixedPoint::sums)>::type fixed_sums;
Pointee<decltype(FixedPoint::arrange_queries)>::type arrange_queries;
}  // namespace amx_int8

namespace {

KernelTable make_table() {
  KernelTable table = *avx512_bf16_table();
  table.name = "amx_int8";
#define FATHOM_ENTER(format, Name) table.matmul_q8[k##Name] = amx_int8::matmul_q8_##format;
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
#define FATHOM_ENTER(format, Name) table.matmul_bf16[k##Name] = amx_int8::matmul_bf16_##format;
  FATHOM_INTERLEAVED_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  table.matmul_bf16[kBF16] = amx_int8::matmul_bf16_bf16;
  table.matmul_bf16[kF8E4M3] = amx_int8::matmul_bf16_f8_e4m3;
  table.matmul_bf16[kMXFP4] = amx_int8::matmul_bf16_mxfp4;
  table.split_bf16 = amx_int8::split_bf16;
  table.attention_bf16[kF32] = {amx_int8::attention_products_f32, amx_int8::attention_sums_f32};
  table.attention_bf16[kF16] = {amx_int8::attention_products_f16, amx_int8::attention_sums_f16};
  table.attention_bf16[kBF16] = {amx_int8::attention_products_bf16, amx_int8::attention_sums_bf16};
  table.fixed_point = {table.fixed_point.fix_row, amx_int8::fixed_products, amx_int8::fixed_sums, amx_int8::arrange_queries};
  return table;
}

}  // namespace

const KernelTable* amx_int8_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
