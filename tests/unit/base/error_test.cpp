#include "base/error.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "support/check_error.hpp"

using namespace fathom;

TEST_CASE("fail throws its status and its sentence") {
  test::check_error(Status::not_found, {"no tensor 'x' in 3 files"},
                    [] { fail(Status::not_found, "no tensor '{}' in {} files", "x", 3); });
}

TEST_CASE("a number too long to read is cut in a sentence, shorter ones and the text around stay") {
  const std::string readable(64, '7'), long_one(309, '9');
  test::check_error(Status::corrupt_file, {"a is " + readable + ", b is -99999999999999999999...(309 digits).5, c is 3"},
                    [&] { fail(Status::corrupt_file, "a is {}, b is -{}.5, c is {}", readable, long_one, 3); });
  test::check_error(Status::corrupt_file, {"10000000000000000213...(65 digits)"},
                    [] { fail(Status::corrupt_file, "{:.0f}", 1e64); });
}

TEST_CASE("what() is the message") {
  const Error error(Status::io_error, "disk on fire");
  CHECK(std::string(error.what()) == "disk on fire");
}

TEST_CASE("every status has a name of its own, other numbers are unknown") {
  std::set<std::string> names;
  for (int i = 0; i <= int(Status::internal); ++i) CHECK(names.insert(status_name(Status(i))).second);
  CHECK(names.count("unknown") == 0);
  CHECK(std::string(status_name(Status::out_of_memory)) == "out_of_memory");
  CHECK(std::string(status_name(Status(int(Status::internal) + 1))) == "unknown");
  CHECK(std::string(status_name(Status(-1))) == "unknown");
}
