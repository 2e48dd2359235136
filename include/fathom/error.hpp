// Errors: a status for programs and a sentence for people.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace fathom {

// The values are those of the C ABI (fathom.h) and never change meaning.
enum class Status : std::int32_t {
  ok = 0,
  invalid_argument = 1,  // the caller passed something no call accepts
  not_found = 2,         // no such file, tensor, key or token
  io_error = 3,          // the file system refused
  corrupt_file = 4,      // the bytes contradict the format or each other
  unsupported = 5,       // well formed, but this build does not run it
  out_of_memory = 6,     // the allocator refused
  context_full = 7,      // the session has no room for these tokens
  cancelled = 8,         // the host asked to stop
  callback_failed = 9,   // a hook of the host threw or reported failure
  wrong_state = 10,      // a valid call at the wrong moment, such as a step of an empty timeline
  internal = 11,         // a defect of fathom
};

// The name of a status in lower case with underscores; "unknown" for other values.
const char* status_name(Status status) noexcept;

class Error : public std::exception {
 public:
  Error(Status status, std::string message) : status_(status), message_(std::move(message)) {}
  Status status() const noexcept { return status_; }
  const std::string& message() const noexcept { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Status status_;
  std::string message_;
};

}  // namespace fathom
