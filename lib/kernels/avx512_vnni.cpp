// The AVX-512 table with VNNI: its products with 8-bit activations are avx512_matmul_q8.cpp compiled for these instructions.
#include "kernels/kernel_table.hpp"
#include "kernels/q8_formats.hpp"

namespace fathom::kernels {

namespace avx512_vnni {
#define FATHOM_DECLARE(format, Name) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
}  // namespace avx512_vnni

namespace {

KernelTable make_table() {
  KernelTable table = *avx512_table();
  table.name = "avx512_vnni";
#define FATHOM_ENTER(format, Name) table.matmul_q8[k##Name] = avx512_vnni::matmul_q8_##format;
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  return table;
}

}  // namespace

const KernelTable* avx512_vnni_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
