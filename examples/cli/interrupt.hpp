// Ctrl-C cancels the session's work instead of ending the program. Signals are the tool's affair: the library has none.
#pragma once

#include <signal.h>

#include "fathom/session.hpp"

namespace cli {

// While one lives, SIGINT cancels `session`. Not nested.
class CancelOnInterrupt {
 public:
  explicit CancelOnInterrupt(fathom::Session& session);
  ~CancelOnInterrupt();
  CancelOnInterrupt(const CancelOnInterrupt&) = delete;
  CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;

  bool interrupted() const noexcept;

 private:
  struct sigaction before_ = {};
};

// While one lives, SIGINT does nothing but make a blocking read return.
class WakeOnInterrupt {
 public:
  WakeOnInterrupt();
  ~WakeOnInterrupt();
  WakeOnInterrupt(const WakeOnInterrupt&) = delete;
  WakeOnInterrupt& operator=(const WakeOnInterrupt&) = delete;

 private:
  struct sigaction before_ = {};
};

}  // namespace cli
