#include "io/json.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "support/check_error.hpp"

using namespace fathom;
using fathom::io::parse_json;
using fathom::io::Value;
using fathom::test::check_error;

namespace {

void check_corrupt(std::string_view text, std::initializer_list<std::string_view> pieces, bool refuse_duplicates = false) {
  CAPTURE(std::string(text));
  check_error(Status::corrupt_file, pieces, [&] { parse_json(text, "dir/config.json", refuse_duplicates); });
}

std::string nested(std::size_t levels) { return std::string(levels, '[') + "1" + std::string(levels, ']'); }

}  // namespace

TEST_CASE("every kind of JSON value becomes the same kind of Value, in file order") {
  const Value value = parse_json(
      R"({"z": null, "a": [true, false], "i": -7, "u": 18446744073709551615, "d": 1e-06, "s": "\u00e9\n", "o": {}})", "x");
  REQUIRE(value.object().size() == 7);
  CHECK(value.object()[0].first == "z");
  CHECK(value.object()[1].first == "a");
  CHECK(value["z"].is_null());
  CHECK(value["a"].array()[0].as_bool() == true);
  CHECK(value["a"].array()[1].as_bool() == false);
  CHECK(value["i"].as_int() == -7);
  CHECK(value["u"].is_integer());
  CHECK_FALSE(value["u"].as_int());
  CHECK(value["d"].as_double() == 1e-06);
  CHECK(value["s"].as_string() == "\u00e9\n");
  CHECK(value["o"].is_object());
}

TEST_CASE("a document may be a lone scalar, and may begin with a byte order mark") {
  CHECK(parse_json("7", "x").as_int() == 7);
  CHECK(parse_json(" \n\"a\" ", "x").as_string() == "a");
  CHECK(parse_json("\xef\xbb\xbf{\"a\": 1}", "x")["a"].as_int() == 1);
}

TEST_CASE("Python's NaN and infinities are doubles, and nulls beside them stay null") {
  const Value value = parse_json(R"([null, NaN, {"a": Infinity, "b": null}, -Infinity, null, "NaN \" null Infinity"])", "x");
  const Value::Array& elements = value.array();
  REQUIRE(elements.size() == 6);
  CHECK(elements[0].is_null());
  CHECK(std::isnan(elements[1].as_double().value()));
  CHECK(elements[2]["a"].as_double() == INFINITY);
  CHECK(elements[2]["b"].is_null());
  CHECK(elements[3].as_double() == -INFINITY);
  CHECK(elements[4].is_null());
  CHECK(elements[5].as_string() == "NaN \" null Infinity");
}

TEST_CASE("integers past 64 bits are read as doubles, as tokenizer_config.json files have them") {
  const Value value = parse_json(
      R"({"model_max_length": 1000000000000000019884624838656, "n": -9223372036854775809, "u": 18446744073709551615,
          "i": -9223372036854775808, "s": "1000000000000000019884624838656"})",
      "x");
  CHECK(value["model_max_length"].as_double() == 1e30);
  CHECK(value["n"].as_double() == -0x1p63);
  CHECK(value["u"].is_integer());
  CHECK_FALSE(value["u"].as_double());  // still the exact integer
  CHECK(value["i"].as_int() == std::numeric_limits<std::int64_t>::min());
  CHECK(value["s"].as_string() == "1000000000000000019884624838656");
}

TEST_CASE("a fault is told with the file, the byte and what was expected there") {
  check_corrupt("", {"dir/config.json", "the end of the text", "a value"});
  check_corrupt(R"({"a": 1,})", {"dir/config.json", "byte 8", "'}'", "a key in double quotes"});
  check_corrupt("{\"a\" 1}", {"byte 5", "'1'", "':'"});
  check_corrupt("[1 2]", {"byte 3", "'2'", "',' or ']'"});
  check_corrupt("[1, 2", {"byte 5", "the end of the text"});
  check_corrupt("\"abc", {"byte 4", "closing quote"});
  check_corrupt("{} x", {"byte 3", "'x'", "the end of the text"});
  check_corrupt("[\"a\nb\"]", {"byte 3", "0x0a", "control character"});
  check_corrupt("[NaN, nan]", {"byte 6", "'n'", "a value"});
  check_corrupt("\xef\xbb\xbf[x]", {"byte 4", "'x'"});
}

TEST_CASE("text that is not UTF-8 is refused at the byte where it stops being so") {
  check_corrupt("[\"\xff\"]", {"byte 2", "0xff", "valid UTF-8"});
  check_corrupt("[\"\xc0\xaf\"]", {"byte 2", "valid UTF-8"});          // a slash, not in its shortest form
  check_corrupt("[\"\xed\xa0\x80\"]", {"byte 2", "valid UTF-8"});      // a surrogate
  check_corrupt("[\"\xf4\x90\x80\x80\"]", {"byte 2", "valid UTF-8"});  // past U+10FFFF
  check_corrupt("[\"ab\xe2\x82\"]", {"byte 4", "valid UTF-8"});        // cut short
}

TEST_CASE("64 levels of nesting are read and 65 are refused") {
  CHECK(parse_json(nested(64), "x").is_array());
  check_corrupt(nested(65), {"byte 64", "less nesting"});
  check_corrupt(std::string(1'000'000, '['), {"byte 64", "less nesting"});
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  check_corrupt(objects, {"less nesting"});
}

TEST_CASE("duplicate keys are refused on request, at every level") {
  check_corrupt(R"({"a": 1, "b": 2, "a": 3})", {"dir/config.json", "'a' appears twice"}, true);
  check_corrupt(R"([{"b": {"k": 1, "\u006b": 2}}])", {"'k' appears twice"}, true);
  CHECK(parse_json(R"({"a": {"k": 1}, "b": {"k": 1}})", "x", true)["b"]["k"].as_int() == 1);
}

TEST_CASE("of duplicate keys the last value counts, at the place of the first, as in Python") {
  const Value value = parse_json(R"({"a": 1, "b": {"k": 1, "\u006b": null}, "a": 2, "c": 3, "a": [4]})", "x");
  REQUIRE(value.object().size() == 3);
  CHECK(value.object()[0].first == "a");
  CHECK(value["a"].array()[0].as_int() == 4);
  CHECK(value.object()[1].first == "b");
  CHECK(value["b"].object().size() == 1);
  CHECK(value["b"].has("k"));
  CHECK(value["b"]["k"].is_null());
  CHECK(value["c"].as_int() == 3);
}

TEST_CASE("a number past the range of a double is told with its place, cut to a readable length") {
  check_corrupt(R"({"a": 1e400})", {"the number 1e400 at byte 6", "range of a double"});
  check_corrupt("\xef\xbb\xbf[\"1e999\", -" + std::string(400, '9') + ".5]",
                {"the number -9999999999999999999... (403 characters) at byte 13"});
  check_corrupt("[1" + std::string(309, '0') + "]", {"10000000000000000000... (310 characters)"});
  CHECK(parse_json("[1" + std::string(308, '0') + "]", "x").array()[0].as_double() == 1e308);
  CHECK(parse_json("[1e-400]", "x").array()[0].as_double() == 0.0);
}

TEST_CASE("a large object is read in file order and its duplicates are found") {
  constexpr int kMembers = 200'000;
  std::string text = "{";
  for (int i = 0; i < kMembers; ++i) text += "\"token " + std::to_string(i) + "\": " + std::to_string(i) + ",";
  const Value value = parse_json(text + "\"last\": 0}", "x", true);
  REQUIRE(value.object().size() == kMembers + 1);
  CHECK(value.object()[777].second.as_int() == 777);
  check_corrupt(text + "\"token 777\": 0}", {"'token 777' appears twice"}, true);
}

TEST_CASE("a zero byte in a text is no end of it") {
  check_corrupt(std::string_view("[1]\0", 4), {"byte 3", "0x00"});
  CHECK(parse_json(R"(["a\u0000b"])", "x").array()[0].as_string() == std::string_view("a\0b", 3));
}
