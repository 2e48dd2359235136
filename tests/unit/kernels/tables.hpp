// The tables that this build has and this processor can run, so that one set of tests holds for all of them.
#pragma once

#include <vector>

#include "kernels/kernel_table.hpp"

namespace fathom::test {

inline std::vector<const kernels::KernelTable*> runnable_tables() {
  std::vector<const kernels::KernelTable*> tables{kernels::scalar_table()};
#if defined(__x86_64__)
  const auto add = [&](const kernels::KernelTable* table, bool runs) {
    if (table && runs) tables.push_back(table);
  };
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  const bool bf16 = vnni && __builtin_cpu_supports("avx512bf16");
  add(kernels::avx2_table(), avx2);
  add(kernels::avx512_table(), avx512);
  add(kernels::avx512_vnni_table(), vnni);
  add(kernels::avx512_bf16_table(), bf16);
#endif
  return tables;
}

}  // namespace fathom::test
