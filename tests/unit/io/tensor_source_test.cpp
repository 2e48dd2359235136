#include "io/tensor_source.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "platform/thread_pool.hpp"
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
    files.put("a", "0123456789");
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

TEST_CASE("a tensor of a file that is not mapped is read by itself, once") {
  TwoFiles two;
  two.files.policy().mappable = false;
  const TensorSource source = two.open({tensor("x", 0, 2, 3), tensor("y", 1, 0, 6), tensor("empty", 0, 0, 0)});
  CHECK_FALSE(source.is_mapped(0));
  const std::span<const std::byte> bytes = source.bytes(*source.find("x"));
  CHECK(std::memcmp(bytes.data(), "234", 3) == 0);
  CHECK(source.bytes(*source.find("x")).data() == bytes.data());
  CHECK(source.bytes(*source.find("empty")).empty());
  two.files.policy().reads_until_fault = 0;
  CHECK(source.bytes(*source.find("x")).data() == bytes.data());
  check_error(Status::io_error, {"b:"}, [&] { (void)source.bytes(*source.find("y")); });
}

TEST_CASE("files that are not mapped are read whole, on one thread or several, and then lie in memory") {
  const std::unique_ptr<TaskSystem> pool = make_thread_pool(3);
  for (TaskSystem* tasks : {static_cast<TaskSystem*>(nullptr), pool.get()}) {
    TwoFiles two;
    std::string large(std::size_t{40} << 20, '.');  // several pieces
    for (std::size_t i = 0; i < large.size(); i += 4096) large[i] = char('a' + i / 4096 % 26);
    two.files.put("a", large);
    two.files.policy().mappable = false;
    TensorSource source = two.open({tensor("x", 0, 0, large.size()), tensor("y", 1, 0, 6)});
    std::vector<double> progress;
    source.read_unmapped(heap_allocator(), tasks, [&](double done) {
      progress.push_back(done);
      return true;
    });
    CHECK(source.is_mapped(0));
    CHECK(source.is_mapped(1));
    CHECK(std::memcmp(source.bytes(*source.find("x")).data(), large.data(), large.size()) == 0);
    CHECK(std::memcmp(source.bytes(*source.find("y")).data(), two.files.content("b").data(), 6) == 0);
    REQUIRE_FALSE(progress.empty());
    CHECK(progress.front() == 0);
    CHECK(std::is_sorted(progress.begin(), progress.end()));
    CHECK(progress.back() < 1);
    CHECK(source.mapped_ends() == std::vector<std::uint64_t>{0, 0});  // no map is left to watch
  }
}

TEST_CASE("reading files stops with the fault that was met, or when it is cancelled") {
  const std::unique_ptr<TaskSystem> pool = make_thread_pool(3);
  for (TaskSystem* tasks : {static_cast<TaskSystem*>(nullptr), pool.get()}) {
    TwoFiles two;
    two.files.policy().mappable = false;
    TensorSource source = two.open({tensor("x", 0, 2, 3)});
    two.files.policy().reads_until_fault = 0;
    check_error(Status::io_error, {"lets this read fail"}, [&] { source.read_unmapped(heap_allocator(), tasks); });
    TensorSource other = two.open({tensor("x", 0, 2, 3)});
    check_error(Status::cancelled, {"a:", "cancelled"},
                [&] { other.read_unmapped(heap_allocator(), tasks, [](double) { return false; }); });
  }
}

TEST_CASE("of a map counts what is not moved: up to the last matrix, vectors apart") {
  TwoFiles two;
  const auto shaped = [](TensorInfo info, std::vector<std::int64_t> shape) {
    info.shape = std::move(shape);
    return info;
  };
  const TensorSource source = two.open({shaped(tensor("embedding", 0, 1, 4), {2, 2}), shaped(tensor("q", 0, 5, 4), {2, 2}),
                                        shaped(tensor("norm", 0, 9, 1), {1}), shaped(tensor("up", 1, 0, 4), {4, 1})});
  using Ends = std::vector<std::uint64_t>;
  const auto q = source.bytes(*source.find("q")), up = source.bytes(*source.find("up"));
  CHECK(source.mapped_ends() == Ends{9, 4});
  const std::span<const std::byte> moved[] = {up.first(2), q, up.subspan(2)};  // in any order, in any pieces
  CHECK(source.mapped_ends(moved) == Ends{5, 0});
  const std::span<const std::byte> half[] = {up.subspan(2), q.first(3)};
  CHECK(source.mapped_ends(half) == Ends{9, 4});
}

TEST_CASE("a file that became shorter than the bytes used of its map is told") {
  TwoFiles two;
  const TensorSource source = two.open({tensor("x", 0, 2, 3)});
  const std::vector<std::uint64_t> ends = {5, 0};
  source.check_files(ends);
  source.check_files();
  two.files.policy().size_now = 5;  // of every file: the second is not used
  source.check_files(ends);
  check_error(Status::io_error, {"a:", "has 5 bytes"}, [&] { source.check_files(); });
  two.files.policy().size_now = 4;
  check_error(Status::io_error, {"a:", "has 4 bytes", "had 10", "byte 5", "renaming"}, [&] { source.check_files(ends); });
}

TEST_CASE("the number of values is the product of the shape, 1 for a scalar, 0 with an empty dimension") {
  TensorInfo info;
  CHECK(info.values() == 1);
  info.shape = {3, 5, 7};
  CHECK(info.values() == 105);
  info.shape = {std::int64_t(1) << 62, 2, 0};
  CHECK(info.values() == 0);
}
