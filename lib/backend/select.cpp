#include "backend/select.hpp"

#include "kernels/select.hpp"

namespace fathom {

Engine::Engine(int isa_level, bool invariant_)
    : kernels(kernels::select_table(isa_level)), invariant(invariant_), native(make_native_backend(kernels)) {
  if (!invariant) bf16 = make_bf16_backend(kernels);
  // oneDNN looks at the CPU itself and would pass a lower limit; below AVX-512 the native kernels do it all.
  constexpr int kAvx512 = 2;
  if (!invariant && isa_level >= kAvx512) onednn = make_onednn_backend(kernels);
}

}  // namespace fathom
