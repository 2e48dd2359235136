#include <doctest/doctest.h>

#include <cstring>

#include "io/gguf.hpp"
#include "support/check_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using fathom::test::check_error;
using fathom::test::GgufWriter;
using fathom::test::MemoryFileSystem;

namespace {

std::string part_path(int part) { return GgufWriter::split_name("d/model", part, 3); }

GgufWriter writer_of_five(std::uint32_t alignment = 32) {
  GgufWriter writer(alignment);
  writer.add("general.architecture", "deepseek2");
  for (const std::string name : {"a", "b", "c", "d", "e"}) writer.add_tensor(name, StorageFormat::i8, {3}, name + name + name);
  return writer;
}

void put_series(MemoryFileSystem& files, std::uint32_t alignment = 32) {
  const std::vector<std::string> parts = writer_of_five(alignment).finish_split(3);
  for (int part = 0; part < 3; ++part) files.put(part_path(part), parts[std::size_t(part)]);
}

// A part by hand, with these split keys.
std::string lone_part(std::uint16_t number, std::uint16_t count) {
  GgufWriter writer;
  writer.add("split.no", number);
  writer.add("split.count", count);
  return writer.finish();
}

}  // namespace

TEST_CASE("any part of a series opens the whole, with the metadata of the first") {
  for (const std::uint32_t alignment : {32u, 128u}) {
    MemoryFileSystem files;
    put_series(files, alignment);
    for (int part = 0; part < 3; ++part) {
      CAPTURE(part);
      const io::GgufFile file = io::open_gguf(files, part_path(part));
      CHECK(file.metadata["general.architecture"].as_string() == "deepseek2");
      CHECK(file.tensors->parts() == 3);
      REQUIRE(file.tensors->tensors().size() == 5);
      for (const io::TensorInfo& tensor : file.tensors->tensors()) {
        const std::string expected = tensor.name + tensor.name + tensor.name;
        CHECK(std::memcmp(file.tensors->bytes(tensor).data(), expected.data(), 3) == 0);
      }
      CHECK(file.tensors->part(file.tensors->find("e")->part).path() == part_path(2));
    }
  }
}

TEST_CASE("a file that is no series opens alone, whatever its name") {
  MemoryFileSystem files;
  files.put("x-00001-of-00002.gguf", writer_of_five().finish());
  CHECK(io::open_gguf(files, "x-00001-of-00002.gguf").tensors->parts() == 1);
  for (const std::uint16_t count : {0, 1}) {
    GgufWriter writer = writer_of_five();
    writer.add("split.no", std::uint16_t(0));
    writer.add("split.count", count);
    files.put("y.gguf", writer.finish());
    CHECK(io::open_gguf(files, "y.gguf").tensors->tensors().size() == 5);
  }
}

TEST_CASE("a missing part is named") {
  for (int missing = 0; missing < 3; ++missing) {
    CAPTURE(missing);
    MemoryFileSystem files;
    put_series(files);
    files.remove(part_path(missing));
    const std::string opened = part_path((missing + 1) % 3);
    check_error(Status::not_found, {part_path(missing), "series of 3"}, [&] { io::open_gguf(files, opened); });
  }
}

TEST_CASE("a renamed part cannot find its siblings, and the error says what name would") {
  MemoryFileSystem files;
  put_series(files);
  files.put("d/renamed.gguf", files.content(part_path(1)));
  check_error(Status::corrupt_file, {"d/renamed.gguf", "part 2 of 3", "-00002-of-00003.gguf"},
              [&] { io::open_gguf(files, "d/renamed.gguf"); });
}

TEST_CASE("parts that contradict their names, each other or the count of tensors are refused") {
  MemoryFileSystem files;
  put_series(files);
  files.put(part_path(2), files.content(part_path(1)));
  check_error(Status::corrupt_file, {part_path(2), "part 2 of 3"}, [&] { io::open_gguf(files, part_path(0)); });

  put_series(files);
  files.put(part_path(2), lone_part(2, 3));
  check_error(Status::corrupt_file, {part_path(0), "split.tensors.count is 5", "4 tensors"},
              [&] { io::open_gguf(files, part_path(0)); });

  put_series(files);
  files.put(part_path(1), writer_of_five().finish());
  check_error(Status::corrupt_file, {part_path(1), "part 1 of 1"}, [&] { io::open_gguf(files, part_path(0)); });
}

TEST_CASE("split numbers out of range are refused") {
  MemoryFileSystem files;
  files.put("a.gguf", lone_part(3, 3));
  check_error(Status::corrupt_file, {"a.gguf", "split.no is 3", "split.count is 3"}, [&] { io::open_gguf(files, "a.gguf"); });
  GgufWriter no_number;
  no_number.add("split.count", std::uint16_t(2));
  files.put("a.gguf", no_number.finish());
  check_error(Status::corrupt_file, {"a.gguf", "split.no is missing"}, [&] { io::open_gguf(files, "a.gguf"); });
  GgufWriter text;
  text.add("split.count", "two");
  files.put("a.gguf", text.finish());
  check_error(Status::corrupt_file, {"a.gguf", "split.count is 'two'"}, [&] { io::open_gguf(files, "a.gguf"); });
}

TEST_CASE("a series is numbered by integers, not by floats with integral values") {
  MemoryFileSystem files;
  for (const std::string key : {"split.no", "split.count", "split.tensors.count"}) {
    CAPTURE(key);
    GgufWriter writer;
    for (const std::string other : {"split.no", "split.count", "split.tensors.count"}) {
      const int value = other == "split.count" ? 1 : 0;
      if (other == key) {
        writer.add(other, float(value));
      } else {
        writer.add(other, std::uint16_t(value));
      }
    }
    files.put("a-00001-of-00001.gguf", writer.finish());
    const bool single = key == "split.tensors.count";  // one file alone is not counted
    if (single) {
      CHECK(io::open_gguf(files, "a-00001-of-00001.gguf").tensors->tensors().empty());
    } else {
      check_error(Status::corrupt_file, {key}, [&] { io::open_gguf(files, "a-00001-of-00001.gguf"); });
    }
  }
}

TEST_CASE("a tensor in two parts is refused") {
  GgufWriter writer;
  for (int i = 0; i < 2; ++i) writer.add_tensor("same", StorageFormat::i8, {1}, std::string("x"));
  const std::vector<std::string> parts = writer.finish_split(2);
  MemoryFileSystem files;
  for (int part = 0; part < 2; ++part) files.put(GgufWriter::split_name("m", part, 2), parts[std::size_t(part)]);
  check_error(Status::corrupt_file, {"m-00002-of-00002.gguf", "'same'", "m-00001-of-00002.gguf"},
              [&] { io::open_gguf(files, "m-00001-of-00002.gguf"); });
}
