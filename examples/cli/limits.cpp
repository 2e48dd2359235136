#include "limits.hpp"

#include <charconv>
#include <cmath>
#include <functional>
#include <string>

namespace cli {
namespace {

// `text` as a number of type T that `fits`, or a sentence. The help shows `range` beside the kind of the option's value.
template <typename T>
CLI::Validator check(const char* kind, const std::string& range, std::function<bool(T)> fits) {
  const auto body = [=](std::string& text) {
    T value{};
    if (CLI::detail::lexical_cast(text, value) && fits(value)) return std::string();
    return std::string("expected ") + kind + ", " + range + "; found '" + text + "'";
  };
  return CLI::Validator(body, range);
}

// 0.5 as "0.5", 1 as "1".
std::string brief(float value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

CLI::Validator integer(std::int64_t least, std::int64_t most) {
  const std::string range = std::to_string(least) + (most == kNoLimit ? " or more" : " to " + std::to_string(most));
  return check<std::int64_t>("an integer", range, [=](std::int64_t value) { return value >= least && value <= most; });
}

CLI::Validator seed() {
  const std::string range = "0 to " + std::to_string(std::numeric_limits<std::uint64_t>::max());
  const auto body = [range](std::string& text) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stopped == end ? std::string() : "expected an integer, " + range + "; found '" + text + "'";
  };
  return CLI::Validator(body, range);
}

CLI::Validator number() {
  return check<float>("a number", "finite", [](float value) { return std::isfinite(value); });
}

CLI::Validator number_from(float least, float most) {
  const std::string range = brief(least) + (most == kNoUpperLimit ? " or more" : " to " + brief(most));
  return check<float>("a number", range, [=](float value) { return std::isfinite(value) && value >= least && value <= most; });
}

CLI::Validator number_above(float least, float most) {
  const std::string range = "above " + brief(least) + (most == kNoUpperLimit ? "" : ", at most " + brief(most));
  return check<float>("a number", range, [=](float value) { return std::isfinite(value) && value > least && value <= most; });
}

}  // namespace cli
