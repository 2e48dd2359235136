// The table of processors with AMX: products of block formats with many rows of activations go by tiles. Its functions are matmul_q8.cpp
// compiled for these instructions.
#include "kernels/kernel_table.hpp"
#include "kernels/q8_formats.hpp"

namespace fathom::kernels {

namespace amx_int8 {
#define FATHOM_DECLARE(format, Name) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
}  // namespace amx_int8

namespace {

KernelTable make_table() {
  KernelTable table = *avx512_bf16_table();
  table.name = "amx_int8";
#define FATHOM_ENTER(format, Name) table.matmul_q8[k##Name] = amx_int8::matmul_q8_##format;
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  return table;
}

}  // namespace

const KernelTable* amx_int8_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
