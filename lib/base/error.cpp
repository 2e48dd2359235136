#include "base/error.hpp"

namespace fathom {

const char* status_name(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::invalid_argument:
      return "invalid_argument";
    case Status::not_found:
      return "not_found";
    case Status::io_error:
      return "io_error";
    case Status::corrupt_file:
      return "corrupt_file";
    case Status::unsupported:
      return "unsupported";
    case Status::out_of_memory:
      return "out_of_memory";
    case Status::context_full:
      return "context_full";
    case Status::cancelled:
      return "cancelled";
    case Status::callback_failed:
      return "callback_failed";
    case Status::wrong_state:
      return "wrong_state";
    case Status::internal:
      return "internal";
  }
  return "unknown";
}

void fail_formatted(Status status, fmt::string_view format, fmt::format_args args) {
  throw Error(status, fmt::vformat(format, args));
}

}  // namespace fathom
