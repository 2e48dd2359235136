// The table of processors with BF16 instructions: VNNI's, under a name of its own. Their products round F32 activations to
// BF16 and their conversion takes subnormal numbers for zero; neither is what a table promises.
#include "kernels/kernel_table.hpp"

namespace fathom::kernels {
namespace {

KernelTable make_table() {
  KernelTable table = *avx512_vnni_table();
  table.name = "avx512_bf16";
  return table;
}

}  // namespace

const KernelTable* avx512_bf16_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
