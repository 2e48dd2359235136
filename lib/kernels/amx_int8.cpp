// The table of processors with AMX: products of block formats with many rows of activations go by tiles (matmul_q8.cpp compiled for these
// instructions), and attention to latents.
#include "kernels/kernel_table.hpp"
#include "kernels/q8_formats.hpp"

namespace fathom::kernels {

namespace amx_int8 {
#define FATHOM_DECLARE(format, Name) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
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
  table.fixed_point = {table.fixed_point.fix_row, amx_int8::fixed_products, amx_int8::fixed_sums, amx_int8::arrange_queries};
  return table;
}

}  // namespace

const KernelTable* amx_int8_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
