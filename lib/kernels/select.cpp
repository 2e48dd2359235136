// Which table serves an instruction set, and null tables for the files this build lacks.
#include "kernels/select.hpp"

#include "base/storage_format.hpp"

namespace fathom::kernels {
namespace {

// kernel_table.hpp repeats these values because instruction-set files cannot include storage_format.hpp.
constexpr bool same(Format format, StorageFormat stored) { return int(format) == int(stored); }
static_assert(same(kF32, StorageFormat::f32) && same(kF16, StorageFormat::f16) && same(kBF16, StorageFormat::bf16));
static_assert(same(kF8E4M3, StorageFormat::f8_e4m3) && same(kF4E2M1, StorageFormat::f4_e2m1));
static_assert(same(kQ4_0, StorageFormat::q4_0) && same(kQ4_1, StorageFormat::q4_1));
static_assert(same(kQ5_0, StorageFormat::q5_0) && same(kQ5_1, StorageFormat::q5_1) && same(kQ8_0, StorageFormat::q8_0));
static_assert(same(kQ2_K, StorageFormat::q2_k) && same(kQ3_K, StorageFormat::q3_k) && same(kQ4_K, StorageFormat::q4_k));
static_assert(same(kQ5_K, StorageFormat::q5_k) && same(kQ6_K, StorageFormat::q6_k));
static_assert(same(kIQ4_NL, StorageFormat::iq4_nl) && same(kIQ4_XS, StorageFormat::iq4_xs));
static_assert(same(kMXFP4, StorageFormat::mxfp4) && kFormats == kMXFP4 + 1);

}  // namespace

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
    if (const KernelTable* table = kTables[i]()) return *table;
  }
  return *scalar_table();
}

}  // namespace fathom::kernels
