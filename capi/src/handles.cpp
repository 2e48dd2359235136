#include "handles.hpp"

#include "host.hpp"

namespace capi {
namespace {

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::runtime:
      return "runtime";
    case Kind::model:
      return "model";
    case Kind::session:
      return "session";
    case Kind::batch:
      return "batch";
  }
  return "released or unknown";
}

}  // namespace

void bury(Shell* shell) noexcept {
  shell->empty();
  const std::shared_ptr<Host> host = std::move(shell->host);
  host->bury(std::unique_ptr<Shell>(shell));
}

void release(Shell* shell) noexcept {
  if (shell == nullptr) return;
  // without calls under way the shell is ours to bury; with them the last of them does it
  if (shell->uses.fetch_or(Shell::kReleased) == 0) bury(shell);
}

void begin_use(const Shell* shell, Kind kind, const char* name, Access access) {
  if (shell == nullptr) fail(FATHOM_INVALID_ARGUMENT, std::string(name) + " is NULL");
  if (shell->kind != kind) {
    fail(FATHOM_INVALID_ARGUMENT, std::string(name) + " is no " + kind_name(kind) + " but a " + kind_name(shell->kind));
  }
  std::uint32_t seen = shell->uses.load();
  for (;;) {
    if ((seen & Shell::kReleased) != 0) fail(FATHOM_INVALID_ARGUMENT, std::string(name) + " was released");
    const bool fits = access == Access::read ? seen < Shell::kWriter - 1 : seen == 0;
    if (!fits) fail(FATHOM_WRONG_STATE, std::string(name) + " is in use by another call, on this thread or another");
    if (shell->uses.compare_exchange_weak(seen, seen + (access == Access::read ? 1 : Shell::kWriter))) return;
  }
}

void end_use(const Shell* shell, Access access) noexcept {
  const std::uint32_t mine = access == Access::read ? 1 : Shell::kWriter;
  if (shell->uses.fetch_sub(mine) == (Shell::kReleased | mine)) bury(const_cast<Shell*>(shell));
}

}  // namespace capi
