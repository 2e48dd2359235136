// Which table serves an instruction set, and null tables for the files this build lacks.
#include "kernels/select.hpp"

#include "base/storage_format.hpp"
#ifdef FATHOM_WATCH_KERNELS
#include "kernels/watch.hpp"
#endif

namespace fathom::kernels {
static_assert(kFormats + 1 == kStorageFormats && int(kQ8_0) == int(StorageFormat::q8_0));

#ifndef FATHOM_HAVE_AVX2
const KernelTable* avx2_table() { return nullptr; }
#endif
#ifndef FATHOM_HAVE_AVX512
const KernelTable* avx512_table() { return nullptr; }
#endif
#ifndef FATHOM_HAVE_AVX512_VNNI
const KernelTable* avx512_vnni_table() { return nullptr; }
#endif
#ifndef FATHOM_HAVE_AVX512_BF16
const KernelTable* avx512_bf16_table() { return nullptr; }
#endif
#ifndef FATHOM_HAVE_AMX_INT8
const KernelTable* amx_int8_table() { return nullptr; }
#endif

const KernelTable& select_table(int level) noexcept {
  constexpr const KernelTable* (*kTables[])() = {scalar_table,      avx2_table,        avx512_table,
                                                 avx512_vnni_table, avx512_bf16_table, amx_int8_table};
  constexpr int kHighest = int(sizeof kTables / sizeof kTables[0]) - 1;
  for (int i = level < kHighest ? level : kHighest; i > 0; --i) {
    const KernelTable* const table = kTables[i]();
    if (!table) continue;
#ifdef FATHOM_WATCH_KERNELS
    return watch(i, *table);
#else
    return *table;
#endif
  }
  return *scalar_table();
}

}  // namespace fathom::kernels
