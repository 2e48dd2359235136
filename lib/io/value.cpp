// Reading a Value: kinds, and conversions between the kinds of number that lose nothing.
#include "io/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::io {
namespace {

const Value kNull;

// The doubles that int64 holds exactly: integral, in [-2^63, 2^63).
bool fits_int64(double v) { return v >= -0x1p63 && v < 0x1p63 && std::trunc(v) == v; }

// Through the double and back to the same integer. 2^63 and 2^64 themselves, to which a maximal integer may round, have
// no way back and are ruled out first.
std::optional<double> exact_double(std::int64_t v) {
  const double d = double(v);
  if (d < 0x1p63 && std::int64_t(d) == v) return d;
  return std::nullopt;
}
std::optional<double> exact_double(std::uint64_t v) {
  const double d = double(v);
  if (d < 0x1p64 && std::uint64_t(d) == v) return d;
  return std::nullopt;
}

}  // namespace

bool Value::is_number() const {
  return std::holds_alternative<std::int64_t>(v_) || std::holds_alternative<std::uint64_t>(v_) ||
         std::holds_alternative<double>(v_) || std::holds_alternative<Floating>(v_);
}

bool Value::is_integer() const { return as_int() || std::holds_alternative<std::uint64_t>(v_); }

std::optional<bool> Value::as_bool() const {
  if (const bool* b = std::get_if<bool>(&v_)) return *b;
  return std::nullopt;
}

std::optional<std::int64_t> Value::written_int() const {
  if (const auto* i = std::get_if<std::int64_t>(&v_)) return *i;
  if (const auto* u = std::get_if<std::uint64_t>(&v_)) {
    if (*u <= std::uint64_t(std::numeric_limits<std::int64_t>::max())) return std::int64_t(*u);
  }
  return std::nullopt;
}

std::optional<std::int64_t> Value::as_int() const {
  if (const auto written = written_int()) return written;
  if (const double* d = std::get_if<double>(&v_)) {
    if (fits_int64(*d)) return std::int64_t(*d);
  }
  return std::nullopt;
}

std::optional<double> Value::as_double() const {
  if (const double* d = std::get_if<double>(&v_)) return *d;
  if (const Floating* f = std::get_if<Floating>(&v_)) return f->value;
  if (const auto* i = std::get_if<std::int64_t>(&v_)) return exact_double(*i);
  if (const auto* u = std::get_if<std::uint64_t>(&v_)) return exact_double(*u);
  return std::nullopt;
}

std::optional<std::string_view> Value::as_string() const {
  if (const auto* s = std::get_if<std::string>(&v_)) return *s;
  return std::nullopt;
}

const Value::Array& Value::array() const {
  static const Array empty;
  const Array* a = std::get_if<Array>(&v_);
  return a ? *a : empty;
}

const Value::Object& Value::object() const {
  static const Object empty;
  const Object* o = std::get_if<Object>(&v_);
  return o ? *o : empty;
}

const Value& Value::operator[](std::string_view key) const {
  const Object& members = object();
  const auto found = std::find_if(members.begin(), members.end(), [&](const Member& member) { return member.first == key; });
  return found == members.end() ? kNull : found->second;
}

bool Value::has(std::string_view key) const {
  const Object& members = object();
  return std::any_of(members.begin(), members.end(), [&](const Member& member) { return member.first == key; });
}

std::string describe(const Value& value) {
  constexpr std::size_t kMaxText = 40;  // of bytes; a cut falls between characters of UTF-8
  if (value.is_null()) return "null";
  if (const auto truth = value.as_bool()) return *truth ? "true" : "false";
  if (value.is_array()) return fmt::format("an array of {}", value.array().size());
  if (value.is_object()) return "an object";
  if (const auto text = value.as_string()) {
    if (text->size() <= kMaxText) return fmt::format("'{}'", *text);
    std::size_t end = kMaxText;
    while (end > 0 && (std::uint8_t((*text)[end]) & 0xc0) == 0x80) --end;
    return fmt::format("'{}...' ({} bytes)", text->substr(0, end), text->size());
  }
  if (const auto integer = value.written_int()) return fmt::format("{}", *integer);
  const auto number = value.as_double();
  if (!number) return "an integer past 2^63";
  const std::string shortest = fmt::format("{}", *number);
  return std::isfinite(*number) && shortest.find_first_of(".e") == shortest.npos ? shortest + ".0" : shortest;
}

}  // namespace fathom::io
