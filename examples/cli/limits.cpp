#include "limits.hpp"

#include <cmath>
#include <functional>
#include <string>

namespace cli {
namespace {

// `text` as a number of type T that `fits`, or a sentence.
template <typename T>
CLI::Validator check(std::string expected, std::function<bool(T)> fits) {
  const auto body = [expected, fits](std::string& text) {
    T value{};
    if (CLI::detail::lexical_cast(text, value) && fits(value)) return std::string();
    return "'" + text + "' is not " + expected;
  };
  return CLI::Validator(body, std::move(expected));
}

// 0.5 as "0.5", 1 as "1".
std::string brief(float value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string up_to(float most) { return most == std::numeric_limits<float>::max() ? "" : ", at most " + brief(most); }

}  // namespace

CLI::Validator integer(std::int64_t least, std::int64_t most) {
  std::string expected =
      "an integer from " + std::to_string(least) + (most == kNoLimit ? " on" : " to " + std::to_string(most));
  return check<std::int64_t>(std::move(expected), [=](std::int64_t value) { return value >= least && value <= most; });
}

CLI::Validator number() {
  return check<float>("a finite number", [](float value) { return std::isfinite(value); });
}

CLI::Validator number_from(float least, float most) {
  return check<float>("a number from " + brief(least) + (up_to(most).empty() ? " on" : " to " + brief(most)),
                      [=](float value) { return std::isfinite(value) && value >= least && value <= most; });
}

CLI::Validator number_above(float least, float most) {
  return check<float>("a number above " + brief(least) + up_to(most),
                      [=](float value) { return std::isfinite(value) && value > least && value <= most; });
}

}  // namespace cli
