// fathom_model_memory_needs, fathom_session_memory_needs
#include "objects.hpp"
#include "options.hpp"
#include "structs.hpp"

namespace {

void write_needs(const fathom::MemoryNeeds& needs, fathom_memory_needs* out) {
  capi::require(out != nullptr, "needs is NULL");
  fathom_memory_needs result = {};
  result.mapped_bytes = needs.mapped_bytes;
  result.weights_bytes = needs.weights_bytes;
  result.cache_bytes = needs.cache_bytes;
  result.scratch_bytes = needs.scratch_bytes;
  result.other_bytes = needs.other_bytes;
  result.peak_bytes = needs.peak_bytes;
  capi::write_result(result, out, "fathom_memory_needs");
}

}  // namespace

int32_t fathom_model_memory_needs(const fathom_runtime* runtime, const char* path, size_t path_size,
                                  const fathom_model_options* options, fathom_memory_needs* needs) {
  return capi::guard([&] {
    const auto used = capi::read(runtime, "runtime");
    const fathom::ModelOptions wanted = capi::read_model_options(options);
    write_needs(fathom::Model::memory_needed(*used, capi::read_path(path, path_size), wanted), needs);
  });
}

int32_t fathom_session_memory_needs(const fathom_model* model, const fathom_session_options* options,
                                    fathom_memory_needs* needs) {
  return capi::guard([&] {
    const auto used = capi::read(model, "model");
    write_needs(used->session_memory(capi::read_session(options)), needs);
  });
}
