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

TEST_CASE("a number that its container types as floating point is never an integer") {
  const Value four = Value::floating(4.0);
  CHECK(four.is_number());
  CHECK(four.as_double() == 4.0);
  CHECK_FALSE(four.is_integer());
  CHECK_FALSE(four.as_int());
  CHECK_FALSE(four.written_int());
}

TEST_CASE("a written integer is one without a point or an exponent") {
  CHECK(Value(std::int64_t(-4)).written_int() == -4);
  CHECK(Value(std::uint64_t(kInt64Max)).written_int() == kInt64Max);
  CHECK_FALSE(Value(std::uint64_t(kInt64Max) + 1).written_int());
  CHECK_FALSE(Value(4.0).written_int());
  CHECK_FALSE(Value(true).written_int());
  CHECK_FALSE(Value().written_int());
}

TEST_CASE("a value is described in a few characters, whatever it is") {
  const std::pair<Value, const char*> cases[] = {{Value(), "null"},
                                                 {Value(true), "true"},
                                                 {Value(std::int64_t(-7)), "-7"},
                                                 {Value(kUint64Max), "an integer past 2^63"},
                                                 {Value(4.0), "4.0"},
                                                 {Value::floating(4.0), "4.0"},
                                                 {Value(0.25), "0.25"},
                                                 {Value(1e308), "1e+308"},
                                                 {Value(std::nan("")), "nan"},
                                                 {Value(-std::numeric_limits<double>::infinity()), "-inf"},
                                                 {Value(std::string("a b")), "'a b'"},
                                                 {Value(Value::Array{Value(), Value()}), "an array of 2"},
                                                 {Value(Value::Object{{"a", Value()}}), "an object"}};
  for (const auto& [value, text] : cases) CHECK(describe(value) == text);
  CHECK(describe(Value(std::string(40, 'x'))) == "'" + std::string(40, 'x') + "'");
  CHECK(describe(Value(std::string(1000, 'x'))) == "'" + std::string(40, 'x') + "...' (1000 bytes)");
  CHECK(describe(Value(std::string(39, 'x') + "\u00e9" + std::string(9, 'x'))) ==
        "'" + std::string(39, 'x') + "...' (50 bytes)");
}

TEST_CASE("a member is found by its key, and is null when there is none") {
  const Value object(Value::Object{{"a", Value(std::int64_t(1))}, {"b", Value()}});
  CHECK(object["a"].as_int() == 1);
  CHECK(object.has("b"));
  CHECK(object["b"].is_null());
  CHECK_FALSE(object.has("c"));
  CHECK(object["c"]["d"]["e"].is_null());
}
