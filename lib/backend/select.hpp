// The instruction set in use, and who multiplies with it: one row a back end.
#pragma once

#include <memory>

#include "backend/gemm_backend.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom {

// One a runtime. Immutable; any thread.
struct Engine {
  // `isa_level` has the order of fathom::Isa. `invariant`: the same kernels whatever the number of rows.
  Engine(int isa_level, bool invariant);

  const kernels::KernelTable& kernels;
  bool invariant;
  std::unique_ptr<GemmBackend> native;
  std::unique_ptr<GemmBackend> bf16;    // null when invariant, or without AMX
  std::unique_ptr<GemmBackend> onednn;  // null when invariant, below AVX-512, or when there is none
};

}  // namespace fathom
