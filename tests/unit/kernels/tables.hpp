// The tables that this build has and this processor can run, so that one set of tests holds for all of them.
#pragma once

#include <vector>

#include "kernels/kernel_table.hpp"
#include "platform/cpu_features.hpp"

namespace fathom::test {

inline std::vector<const kernels::KernelTable*> runnable_tables() {
  std::vector<const kernels::KernelTable*> tables{kernels::scalar_table()};
  const auto add = [&](Isa isa, const kernels::KernelTable* table) {
    if (table && detect_isa() >= isa) tables.push_back(table);
  };
  add(Isa::avx2, kernels::avx2_table());
  add(Isa::avx512, kernels::avx512_table());
  add(Isa::avx512_vnni, kernels::avx512_vnni_table());
  add(Isa::avx512_bf16, kernels::avx512_bf16_table());
  add(Isa::amx_int8, kernels::amx_int8_table());
  return tables;
}

}  // namespace fathom::test
