// fathom_runtime_*
#include "buffers.hpp"
#include "objects.hpp"
#include "structs.hpp"

namespace {

// The adapter for a hook that was given; null for one that was not.
template <typename Hook>
auto adapt_hook(const Hook* hook, const char* name) -> decltype(capi::adapt(*hook)) {
  if (hook == nullptr) return nullptr;
  const Hook given = capi::read_options(hook, name);
  if constexpr (requires { given.reserved; }) capi::require_reserved(given.reserved, name);
  return capi::adapt(given);
}

}  // namespace

int32_t fathom_runtime_create(const fathom_runtime_options* options, fathom_runtime** runtime) {
  return capi::guard([&] {
    capi::require(runtime != nullptr, "runtime is NULL");
    const auto given = capi::read_options(options, "fathom_runtime_options");
    capi::require_reserved(given.reserved, "fathom_runtime_options.reserved");
    auto host = std::make_shared<capi::Host>();
    host->allocator = adapt_hook(given.allocator, "fathom_allocator");
    host->tasks = adapt_hook(given.tasks, "fathom_task_system");
    host->files = adapt_hook(given.files, "fathom_file_system");
    host->log = adapt_hook(given.log, "fathom_log_sink");
    fathom::RuntimeOptions wanted;
    wanted.host = host->hooks();
    wanted.threads = given.threads;
    wanted.isa_limit = capi::read_string(given.isa_limit, given.isa_limit_size, "isa_limit");
    wanted.invariant = capi::read_flag(given.invariant, "fathom_runtime_options.invariant");
    wanted.streams = capi::read_string(given.streams, given.streams_size, "streams");
    *runtime = capi::make_handle<fathom_runtime>(std::move(host), std::make_unique<fathom::Runtime>(wanted));
  });
}

void fathom_runtime_release(fathom_runtime* runtime) { capi::release(runtime); }

int32_t fathom_runtime_get_info(const fathom_runtime* runtime, fathom_runtime_info* info) {
  return capi::guard([&] {
    const auto used = capi::read(runtime, "runtime");
    capi::require(info != nullptr, "info is NULL");
    fathom_runtime_info result = {};
    result.threads = used->threads();
    result.isa = used->isa();
    result.resident_bytes = used->resident_bytes();
    result.peak_resident_bytes = used->peak_resident_bytes();
    capi::write_result(result, info, "fathom_runtime_info");
  });
}
