#include "base/error.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace fathom {
namespace {

// Cuts each run of digits that is too long to read. (The largest double has 309 digits before its point.)
std::string with_short_numbers(std::string sentence) {
  constexpr std::size_t kMaxDigits = 64, kShownDigits = 20;
  constexpr std::string_view kDigits = "0123456789";
  for (std::size_t at = 0; (at = sentence.find_first_of(kDigits, at)) != sentence.npos;) {
    const std::size_t digits = std::min(sentence.find_first_not_of(kDigits, at), sentence.size()) - at;
    if (digits > kMaxDigits) {
      const std::string cut = fmt::format("{}...({} digits)", std::string_view(sentence).substr(at, kShownDigits), digits);
      sentence.replace(at, digits, cut);
      at += cut.size();
    } else {
      at += digits;
    }
  }
  return sentence;
}

}  // namespace

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
  throw Error(status, with_short_numbers(fmt::vformat(format, args)));
}

}  // namespace fathom
