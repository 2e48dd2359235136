// The AVX-512 table with VNNI: matmul_q8.cpp and fixed_point.cpp compiled for these instructions.
#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

namespace avx512_vnni {
#define FATHOM_DECLARE(format, Name, ...) Pointee<MatmulQ8>::type matmul_q8_##format;
FATHOM_BLOCK_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE
Pointee<decltype(FixedPoint::fix_row)>::type fix_row;
Pointee<decltype(FixedPoint::products)>::type fixed_products;
Pointee<decltype(FixedPoint::sums)>::type fixed_sums;
}  // namespace avx512_vnni

namespace {

KernelTable make_table() {
  KernelTable table = *avx512_table();
  table.name = "avx512_vnni";
#define FATHOM_ENTER(format, Name, ...) table.matmul_q8[k##Name] = avx512_vnni::matmul_q8_##format;
  FATHOM_BLOCK_FORMATS(FATHOM_ENTER)
#undef FATHOM_ENTER
  table.fixed_point = {avx512_vnni::fix_row, avx512_vnni::fixed_products, avx512_vnni::fixed_sums};
  return table;
}

}  // namespace

const KernelTable* avx512_vnni_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
