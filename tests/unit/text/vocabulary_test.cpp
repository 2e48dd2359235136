#include "text/vocabulary.hpp"

#include <doctest/doctest.h>

#include <string>

#include "support/check_error.hpp"

using namespace fathom;
using namespace fathom::text;
using fathom::test::check_error;

TEST_CASE("tokens are found by text and by id, however many there are") {
  for (int count : {0, 1, 511, 512, 513, 5000}) {
    Vocabulary vocabulary;
    for (int i = 0; i < count; ++i) vocabulary.add(i * 2, "token" + std::to_string(i), "test");
    CHECK(vocabulary.count() == count);
    CHECK(vocabulary.size() == (count == 0 ? 0 : count * 2 - 1));
    for (int i = 0; i < count; ++i) {
      REQUIRE(vocabulary.find("token" + std::to_string(i)) == i * 2);
      REQUIRE(vocabulary.text(i * 2) == "token" + std::to_string(i));
      REQUIRE_FALSE(vocabulary.has(i * 2 + 1));
      REQUIRE(vocabulary.text(i * 2 + 1) == "");
    }
    CHECK_FALSE(vocabulary.find("token"));
    CHECK_FALSE(vocabulary.has(-1));
  }
}

TEST_CASE("a text or an id that is taken, and an id out of range, are refused") {
  Vocabulary vocabulary;
  vocabulary.add(3, "a", "here");
  check_error(Status::corrupt_file, {"here", "'a'", "3", "4"}, [&] { vocabulary.add(4, "a", "here"); });
  check_error(Status::corrupt_file, {"here", "'a'", "'b'", "3"}, [&] { vocabulary.add(3, "b", "here"); });
  check_error(Status::corrupt_file, {"here", "-1"}, [&] { vocabulary.add(-1, "b", "here"); });
  check_error(Status::corrupt_file, {"here", "16777217"}, [&] { vocabulary.add(kMaxTokenId + 1, "b", "here"); });
  check_error(Status::corrupt_file, {"here", "1048577"}, [&] { vocabulary.add(4, std::string(1048577, 'x'), "here"); });
}

TEST_CASE("a token without a name has a text but is not found by it") {
  Vocabulary vocabulary;
  vocabulary.add_unnamed(0, "[PAD0]", "test");
  CHECK(vocabulary.text(0) == "[PAD0]");
  CHECK_FALSE(vocabulary.find("[PAD0]"));
}
