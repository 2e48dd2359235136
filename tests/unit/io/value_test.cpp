#include "io/value.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using fathom::io::Value;

namespace {

constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t kUint64Max = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("a value is of one kind and gives nothing when asked for another") {
  const Value text(std::string("x"));
  CHECK(text.is_string());
  CHECK(text.as_string() == "x");
  CHECK_FALSE(text.as_int());
  CHECK_FALSE(text.as_double());
  CHECK_FALSE(text.as_bool());
  CHECK(text.array().empty());
  CHECK(text.object().empty());
  CHECK(Value().is_null());
  CHECK(Value(true).as_bool() == true);
  CHECK_FALSE(Value(std::int64_t(1)).as_bool());
  CHECK_FALSE(Value(true).is_number());
}

TEST_CASE("an integer converts to a double only when the double holds it exactly") {
  CHECK(Value(std::int64_t(3)).as_double() == 3.0);
  CHECK(Value(std::int64_t(1) << 53).as_double() == 0x1p53);
  CHECK_FALSE(Value((std::int64_t(1) << 53) + 1).as_double());
  CHECK(Value(kInt64Min).as_double() == -0x1p63);
  CHECK_FALSE(Value(kInt64Max).as_double());
  CHECK(Value(std::uint64_t(1) << 63).as_double() == 0x1p63);
  CHECK_FALSE(Value(kUint64Max).as_double());
}

TEST_CASE("a double converts to an integer only when it is one and fits") {
  CHECK(Value(3.0).as_int() == 3);
  CHECK(Value(-0.0).as_int() == 0);
  CHECK_FALSE(Value(3.5).as_int());
  CHECK(Value(-0x1p63).as_int() == kInt64Min);
  CHECK_FALSE(Value(0x1p63).as_int());
  CHECK_FALSE(Value(std::nan("")).as_int());
  CHECK_FALSE(Value(std::numeric_limits<double>::infinity()).as_int());
  CHECK(Value(3.0).is_integer());
  CHECK_FALSE(Value(3.5).is_integer());
  CHECK_FALSE(Value(std::nan("")).is_integer());
}

TEST_CASE("an unsigned integer past int64 stays a number but is no int") {
  CHECK(Value(std::uint64_t(kInt64Max)).as_int() == kInt64Max);
  CHECK_FALSE(Value(std::uint64_t(kInt64Max) + 1).as_int());
  CHECK(Value(kUint64Max).is_integer());
}

TEST_CASE("a member is found by its key, the first of duplicates, and null when there is none") {
  const Value object(Value::Object{{"a", Value(std::int64_t(1))}, {"b", Value()}, {"a", Value(std::int64_t(2))}});
  CHECK(object["a"].as_int() == 1);
  CHECK(object.has("b"));
  CHECK(object["b"].is_null());
  CHECK_FALSE(object.has("c"));
  CHECK(object["c"]["d"]["e"].is_null());
}
