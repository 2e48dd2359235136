// The root object: the host's hooks, threads, instruction set. Models are opened with it.
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
  // True: results also do not depend on how a prompt is cut into chunks, because every product takes the same kernels for any
  // number of rows. (They never depend on the number of threads.) Long prompts of unquantised models are slower.
  bool invariant = false;
  // How products prefetch weights, which decides the speed of generation and differs between processors. Empty: each model of
  // 100 MB or more times the variants on its own weights when it is opened, for at most 50 ms. "builtin": a fixed variant for
  // all models. A text that ModelInfo::streams gave: that choice, for the same speed profile every time. The bits of results
  // do not depend on it. The constructor throws Error{invalid_argument} for a text that names an unknown format or variant.
  std::string streams;
};

// A shared handle: copies refer to the same runtime, which lives until the last model is gone. Any thread.
class Runtime {
 public:
  explicit Runtime(const RuntimeOptions& options = {});

  int threads() const noexcept;                       // tasks that run at once
  const char* isa() const noexcept;                   // instruction set in use
  std::int64_t resident_bytes() const noexcept;       // of the whole process, with mapped files; 0 where unknown
  std::int64_t peak_resident_bytes() const noexcept;  // the most since the process began; 0 where unknown

  struct Impl;
  const std::shared_ptr<Impl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace fathom
