// fathom_runtime_*
#include "buffers.hpp"
#include "handles.hpp"
#include "structs.hpp"

int32_t fathom_runtime_create(const fathom_runtime_options* options, fathom_runtime** runtime) {
  return capi::guard([&] {
    capi::require(runtime != nullptr, "runtime is NULL");
    const auto given = capi::read_options(options, "fathom_runtime_options");
    capi::require_reserved(given.reserved, "fathom_runtime_options.reserved");
    fathom::RuntimeOptions wanted;
    wanted.threads = given.threads;
    wanted.isa_limit = capi::read_string(given.isa_limit, given.isa_limit_size, "isa_limit");
    wanted.invariant = capi::read_flag(given.invariant, "fathom_runtime_options.invariant");
    *runtime = new fathom_runtime{fathom::Runtime(wanted)};
  });
}

void fathom_runtime_release(fathom_runtime* runtime) { delete runtime; }
