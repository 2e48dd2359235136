// The root object: the host's hooks, the threads, the instruction set. Models and sessions hang from it.
#pragma once

#include <memory>
#include <string>

#include "fathom/error.hpp"
#include "fathom/host.hpp"

namespace fathom {

struct RuntimeOptions {
  Host host;
  // Of the runtime's own pool; ignored with Host::tasks. 0: one for each core the process may use, or as many as the CPU quota
  // of its container, rounded up, where that is less.
  int threads = 0;
  // "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"; empty: the best this CPU has. Where that is AMX,
  // Linux is asked to let the process use its registers, once and for good.
  std::string isa_limit;
  // Results then do not depend on how a prompt is cut into chunks either: every product takes the same kernels whatever
  // its row count. (Independence of the number of threads holds always.) Long prompts of unquantised models get slower.
  bool invariant = false;
};

// A shared handle: copies refer to the same runtime, which lives until the last model is gone. Any thread.
class Runtime {
 public:
  explicit Runtime(const RuntimeOptions& options = {});

  int threads() const noexcept;                       // how many tasks run at once
  const char* isa() const noexcept;                   // instruction set in use
  std::int64_t resident_bytes() const noexcept;       // of the whole process, mapped files included; 0 where unknown
  std::int64_t peak_resident_bytes() const noexcept;  // likewise, since the process began

  struct Impl;
  const std::shared_ptr<Impl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace fathom
