#include "base/xxh64.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

using fathom::Xxh64;

namespace {

std::uint64_t hash(std::string_view text, std::uint64_t seed = 0) {
  Xxh64 h(seed);
  h.update(std::as_bytes(std::span(text)));
  return h.digest();
}

}  // namespace

TEST_CASE("known texts have their published hashes") {
  CHECK(hash("") == 0xef46db3751d8e999u);
  CHECK(hash("a") == 0xd24ec4f1a98c6e5bu);
  CHECK(hash("abc") == 0x44bc2cf5ad770999u);
}

TEST_CASE("pieces of any size hash as the whole") {
  std::vector<std::byte> bytes(200);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i * 31 + 7);
  Xxh64 whole(5);
  whole.update(bytes);
  for (const std::size_t piece : {1, 7, 31, 32, 33, 64, 199}) {
    CAPTURE(piece);
    Xxh64 cut(5);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      cut.update(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    CHECK(cut.digest() == whole.digest());
  }
}

TEST_CASE("every bit and the seed count") {
  std::vector<std::byte> bytes(77);
  Xxh64 plain;
  plain.update(bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = std::byte(1);
    Xxh64 changed;
    changed.update(bytes);
    CHECK(changed.digest() != plain.digest());
    bytes[i] = std::byte(0);
  }
  CHECK(hash("abc", 1) != hash("abc"));
}
