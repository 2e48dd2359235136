// Ctrl-C cancels the session's work instead of ending the program.
#include "interrupt.hpp"

#include <atomic>

namespace cli {
namespace {

std::atomic<fathom::Session*> target{nullptr};
std::atomic<bool> seen{false};
static_assert(std::atomic<fathom::Session*>::is_always_lock_free, "a signal handler must not take a lock");

extern "C" void on_interrupt(int) {
  seen.store(true);
  if (fathom::Session* session = target.load()) session->cancel();
}

// Without SA_RESTART, so that a read waiting for the user returns.
struct sigaction install() {
  struct sigaction action = {}, before = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before);
  return before;
}

}  // namespace

CancelOnInterrupt::CancelOnInterrupt(fathom::Session& session) {
  seen.store(false);
  target.store(&session);
  before_ = install();
}

CancelOnInterrupt::~CancelOnInterrupt() {
  sigaction(SIGINT, &before_, nullptr);
  target.store(nullptr);
}

bool CancelOnInterrupt::interrupted() const noexcept { return seen.load(); }

WakeOnInterrupt::WakeOnInterrupt() : before_(install()) {}

WakeOnInterrupt::~WakeOnInterrupt() { sigaction(SIGINT, &before_, nullptr); }

}  // namespace cli
