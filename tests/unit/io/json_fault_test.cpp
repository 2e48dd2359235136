#include "io/json_fault.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using fathom::io::find_json_fault;

TEST_CASE("texts that are JSON have no fault") {
  for (const std::string text : {"{}", "[]", " null ", "-0", "0.5e-7", "1E+2", "[1,2,[3,{\"a\":\"\\u00e9\\\\\"}]]",
                                 "\"\xf0\x9f\x90\x9f\"", "[NaN, -Infinity, Infinity]"}) {
    CAPTURE(text);
    CHECK_FALSE(find_json_fault(text, 8));
  }
}

TEST_CASE("a fault has the offset of the first byte that cannot be there") {
  struct Case {
    std::string text;
    std::size_t offset;
    std::string expected;
  };
  const std::vector<Case> cases = {{"", 0, "a value"},
                                   {"[1,]", 3, "a value"},
                                   {"{1:2}", 1, "a key in double quotes"},
                                   {"[1.]", 3, "a digit"},
                                   {"[1e+]", 4, "a digit"},
                                   {"[-]", 2, "a digit"},
                                   {"[01]", 2, "',' or ']'"},
                                   {"truth", 0, "a value"},
                                   {"\"\\x\"", 2, "an escape such as \\n"},
                                   {"\"\\u12g4\"", 5, "four hex digits"},
                                   {"[[[]]]", 2, "less nesting"},
                                   {"\"\\", 2, "an escape such as \\n"}};
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto fault = find_json_fault(c.text, 2);
    REQUIRE(fault);
    CHECK(fault->offset == c.offset);
    CHECK(fault->expected == c.expected);
  }
}

TEST_CASE("every truncation of a document is at fault at its end or in the token that was cut") {
  const std::string text = R"({"a": [1, -2.5e3, true, null], "b": {"c": "\u0041\"x"}})";
  for (std::size_t length = 0; length < text.size(); ++length) {
    CAPTURE(length);
    const auto fault = find_json_fault(std::string_view(text).substr(0, length), 8);
    REQUIRE(fault);
    CHECK(fault->offset <= length);
  }
}
