// The table of processors with AMX: products with many rows of activations go by tiles (matmul_q8.cpp compiled for these
// instructions, and amx_matmul_bf16.cpp), and so does attention.
#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

namespace amx_int8 {
#define FATHOM_DECLARE(format, Name, ...) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
#define FATHOM_DECLARE(format, Name, ...) Pointee<MatmulBf16>::type matmul_bf16_##format;
FATHOM_INTERLEAVED_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
Pointee<MatmulBf16>::type matmul_bf16_bf16, matmul_bf16_f8_e4m3, matmul_bf16_mxfp4;
Pointee<decltype(KernelTable::split_bf16)>::type split_bf16;
#define FATHOM_DECLARE(format, Name, ...) void round_rows_##format(const WeightRows& w, int64_t rows, uint16_t* page);
FATHOM_DECLARE(f32, F32)
FATHOM_DECLARE(f16, F16)
FATHOM_DECLARE(bf16, BF16)
FATHOM_DECLARE(q8_0, Q8_0)
#undef FATHOM_DECLARE
Pointee<decltype(Bf16Attention::arrange_queries)>::type arrange_queries;
Pointee<decltype(Bf16Attention::products)>::type attention_products;
Pointee<decltype(Bf16Attention::sums)>::type attention_sums;
}  // namespace amx_int8

namespace {

KernelTable make_table() {
  KernelTable table = *avx512_bf16_table();
  table.name = "amx_int8";
#define FATHOM_ENTER(format, Name, ...) table.matmul_q8[k##Name] = amx_int8::matmul_q8_##format;
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
#define FATHOM_ENTER(format, Name, ...) table.matmul_bf16[k##Name] = amx_int8::matmul_bf16_##format;
  FATHOM_INTERLEAVED_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  table.matmul_bf16[kBF16] = amx_int8::matmul_bf16_bf16;
  table.matmul_bf16[kF8_E4M3] = amx_int8::matmul_bf16_f8_e4m3;
  table.matmul_bf16[kMXFP4] = amx_int8::matmul_bf16_mxfp4;
  table.split_bf16 = amx_int8::split_bf16;
  table.attention_bf16.round_rows[kF32] = amx_int8::round_rows_f32;
  table.attention_bf16.round_rows[kF16] = amx_int8::round_rows_f16;
  table.attention_bf16.round_rows[kBF16] = amx_int8::round_rows_bf16;
  table.attention_bf16.round_rows[kQ8_0] = amx_int8::round_rows_q8_0;
  table.attention_bf16.arrange_queries = amx_int8::arrange_queries;
  table.attention_bf16.products = amx_int8::attention_products;
  table.attention_bf16.sums = amx_int8::attention_sums;
  return table;
}

}  // namespace

const KernelTable* amx_int8_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
