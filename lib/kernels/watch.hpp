// The memory that kernels read and write, told to the sanitizer of a build whose instruction-set objects come without
// instrumentation (FATHOM_KERNELS_FROM). Only such builds have this file.
#pragma once

#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

// The same functions; each first reports the ranges of its contract: to AddressSanitizer as accesses, so that a buffer that is
// too small or was released is found, and to ThreadSanitizer as reads and writes, so that a race is found. That a kernel keeps
// to its contract is the unit tests' affair, which let every buffer end where memory ends.
// level: as select_table counts, above 0; each has one table.
const KernelTable& watch(int level, const KernelTable& table) noexcept;

}  // namespace fathom::kernels
