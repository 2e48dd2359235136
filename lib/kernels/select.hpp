// The best kernel table for an instruction set.
#pragma once

#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

// `level` has the order of fathom::Isa (0 scalar ... 5 amx_int8); kernels may not include platform, so it is a number.
// Returns the best table of the build at or below it; never null.
const KernelTable& select_table(int level) noexcept;

}  // namespace fathom::kernels
