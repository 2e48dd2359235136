#include "fathom/runtime.hpp"

#include "base/error.hpp"
#include "fathom/version.hpp"
#include "platform/os_file_system.hpp"
#include "platform/process_memory.hpp"
#include "platform/thread_pool.hpp"
#include "run/runtime_impl.hpp"

namespace fathom {
namespace {

constexpr int kMaxThreads = 1024;

}  // namespace

#define FATHOM_TEXT_OF(number) #number
#define FATHOM_DOTTED(major, minor, patch) FATHOM_TEXT_OF(major) "." FATHOM_TEXT_OF(minor) "." FATHOM_TEXT_OF(patch)

const char* version() noexcept { return FATHOM_DOTTED(FATHOM_VERSION_MAJOR, FATHOM_VERSION_MINOR, FATHOM_VERSION_PATCH); }

Runtime::Runtime(const RuntimeOptions& options) : impl_(std::make_shared<Impl>()) {
  if (options.threads < 0 || options.threads > kMaxThreads) {
    fail(Status::invalid_argument, "threads is {}, expected 0 to {}", options.threads, kMaxThreads);
  }
  impl_->allocator = options.host.allocator ? options.host.allocator : &heap_allocator();
  impl_->files = options.host.files ? options.host.files : &os_file_system();
  impl_->log = options.host.log;
  impl_->isa = options.isa_limit.empty() ? detect_isa() : detect_isa(parse_isa(options.isa_limit));
  if (options.host.tasks) {
    impl_->tasks = options.host.tasks;
    if (impl_->tasks->concurrency() < 1) {
      fail(Status::invalid_argument, "the host's task system says it runs {} tasks at once, expected at least 1",
           impl_->tasks->concurrency());
    }
  } else {
    impl_->own_tasks = make_thread_pool(options.threads);
    impl_->tasks = impl_->own_tasks.get();
  }
  impl_->engine = std::make_shared<Engine>(int(impl_->isa), options.invariant, options.streams);
}

int Runtime::threads() const noexcept { return impl_->tasks->concurrency(); }
const char* Runtime::isa() const noexcept { return isa_name(impl_->isa).data(); }
std::int64_t Runtime::resident_bytes() const noexcept { return process_memory().resident_bytes; }
std::int64_t Runtime::peak_resident_bytes() const noexcept { return process_memory().peak_resident_bytes; }

}  // namespace fathom
