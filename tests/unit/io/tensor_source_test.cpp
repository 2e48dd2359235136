#include "io/tensor_source.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "support/check_error.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using fathom::test::check_error;
using io::TensorInfo;
using io::TensorSource;

namespace {

TensorInfo tensor(std::string name, std::uint32_t part, std::uint64_t offset, std::uint64_t bytes) {
  TensorInfo info;
  info.name = std::move(name);
  info.format = StorageFormat::u8;
  info.type_name = "U8";
  info.shape = {std::int64_t(bytes)};
  info.part = part;
  info.offset = offset;
  info.bytes = bytes;
  return info;
}

class TwoFiles {
 public:
  TwoFiles() {
    files.put("a", "01234567");
    files.put("b", "abcdef");
  }
  TensorSource open(std::vector<TensorInfo> tensors) {
    std::vector<std::unique_ptr<File>> parts;
    parts.push_back(files.open("a"));
    parts.push_back(files.open("b"));
    return TensorSource(std::move(parts), std::move(tensors));
  }
  test::MemoryFileSystem files;
};

}  // namespace

TEST_CASE("a tensor is found by name and its bytes are those of its file") {
  TwoFiles two;
  const TensorSource source = two.open({tensor("x", 0, 2, 3), tensor("y", 1, 0, 6), tensor("empty", 1, 6, 0)});
  REQUIRE(source.find("y"));
  CHECK(std::memcmp(source.bytes(*source.find("x")).data(), "234", 3) == 0);
  CHECK(source.bytes(*source.find("x")).size() == 3);
  CHECK(source.bytes(*source.find("y")).size() == 6);
  CHECK(source.bytes(*source.find("empty")).empty());
  CHECK(source.find("z") == nullptr);
  CHECK(source.total_bytes() == 9);
  CHECK(source.parts() == 2);
  CHECK(source.part(1).path() == "b");
  CHECK(source.describe(*source.find("y")) == "b: tensor 'y'");
}

TEST_CASE("names keep finding their tensors after the source was moved") {
  TwoFiles two;
  TensorSource source = two.open({tensor("x", 0, 0, 1), tensor("a name too long to be stored inside a std::string", 1, 1, 2)});
  const TensorSource moved = std::move(source);
  REQUIRE(moved.find("x"));
  REQUIRE(moved.find("a name too long to be stored inside a std::string"));
  CHECK(moved.find("a name too long to be stored inside a std::string")->offset == 1);
}

TEST_CASE("a name in two files is refused, and both files are named") {
  TwoFiles two;
  check_error(Status::corrupt_file, {"b: tensor 'x'", "first in a"},
              [&] { two.open({tensor("x", 0, 0, 1), tensor("x", 1, 0, 1)}); });
}

TEST_CASE("a tensor that passes the end of its file is refused") {
  TwoFiles two;
  check_error(Status::corrupt_file, {"b: tensor 'x'", "at 6"}, [&] { two.open({tensor("x", 1, 1, 6)}); });
  check_error(Status::corrupt_file, {"b: tensor 'x'"}, [&] { two.open({tensor("x", 1, ~std::uint64_t(0), 2)}); });
}

TEST_CASE("a file that cannot be mapped fails when bytes are asked for, by name") {
  TwoFiles two;
  two.files.policy().mappable = false;
  const TensorSource source = two.open({tensor("x", 0, 0, 1), tensor("empty", 0, 0, 0)});
  check_error(Status::io_error, {"a: tensor 'x'", "mapped"}, [&] { (void)source.bytes(*source.find("x")); });
  CHECK(source.bytes(*source.find("empty")).empty());
}

TEST_CASE("the number of values is the product of the shape, 1 for a scalar, 0 with an empty dimension") {
  TensorInfo info;
  CHECK(info.values() == 1);
  info.shape = {3, 5, 7};
  CHECK(info.values() == 105);
  info.shape = {std::int64_t(1) << 62, 2, 0};
  CHECK(info.values() == 0);
}
