#include "io/safetensors.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "support/check_error.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"

using namespace fathom;
using fathom::test::check_error;
using fathom::test::MemoryFileSystem;
using fathom::test::safetensors_file;
using fathom::test::SafetensorsWriter;
using io::TensorInfo;

namespace {

std::vector<TensorInfo> read(const std::string& content) {
  MemoryFileSystem files;
  files.put("m.safetensors", content);
  return io::read_safetensors_header(*files.open("m.safetensors"), 3);
}

void check_corrupt(const std::string& content, std::initializer_list<std::string_view> pieces) {
  check_error(Status::corrupt_file, {"m.safetensors"}, [&] { read(content); });
  check_error(Status::corrupt_file, pieces, [&] { read(content); });
}

// A file of one header, spelled out, and so many bytes of data.
void check_header_corrupt(std::string_view header, std::size_t data_bytes, std::initializer_list<std::string_view> pieces) {
  CAPTURE(std::string(header));
  check_corrupt(safetensors_file(header, std::string(data_bytes, 'd')), pieces);
}

std::string small_file() {
  SafetensorsWriter writer;
  writer.add_entry("__metadata__", R"({"format":"pt"})");
  writer.add("norm.weight", "F32", {2}, std::string("ABCDEFGH"));
  writer.add("scalar", "BF16", {}, std::string("IJ"));
  writer.add("none", "F32", {0, 4}, std::string());
  writer.add("fp4", "F4", {1, 4}, std::string("KL"));
  return writer.finish();
}

std::string one_tensor(std::string_view name, std::string_view bytes = "x") {
  SafetensorsWriter writer;
  writer.add(name, "U8", {std::int64_t(bytes.size())}, bytes);
  return writer.finish();
}

// Whatever a reader accepts must lie inside the file and agree with its own sizes.
void check_within(const std::vector<TensorInfo>& tensors, std::size_t file_bytes) {
  for (const TensorInfo& tensor : tensors) {
    REQUIRE(tensor.offset <= file_bytes);
    REQUIRE(tensor.bytes <= file_bytes - tensor.offset);
    for (const std::int64_t dim : tensor.shape) REQUIRE(dim >= 0);
    const StorageLayout& layout = storage_layout(tensor.format);
    if (tensor.format != StorageFormat::other) {
      REQUIRE(std::uint64_t(tensor.values()) / layout.block_values * layout.block_bytes == tensor.bytes);
    }
  }
}

}  // namespace

TEST_CASE("a header gives each tensor's name, type, shape and place, in the order of the data") {
  const std::string content = small_file();
  const std::vector<TensorInfo> tensors = read(content);
  REQUIRE(tensors.size() == 4);
  CHECK(tensors[0].name == "norm.weight");
  CHECK(tensors[0].format == StorageFormat::f32);
  CHECK(tensors[0].type_name == "F32");
  CHECK(tensors[0].shape == std::vector<std::int64_t>{2});
  CHECK(tensors[0].part == 3);
  CHECK(tensors[0].bytes == 8);
  CHECK(content.substr(tensors[0].offset, 8) == "ABCDEFGH");
  CHECK(tensors[1].name == "scalar");
  CHECK(tensors[1].shape.empty());
  CHECK(tensors[1].values() == 1);
  CHECK(tensors[2].name == "none");
  CHECK(tensors[2].bytes == 0);
  CHECK(tensors[2].values() == 0);
  CHECK(tensors[3].name == "fp4");
  CHECK(tensors[3].format == StorageFormat::f4_e2m1);
  CHECK(tensors[3].shape == std::vector<std::int64_t>{1, 4});
  CHECK(content.substr(tensors[3].offset, 2) == "KL");
}

TEST_CASE("every dtype of the format maps to its storage format, with its size checked") {
  struct Case {
    std::string dtype;
    StorageFormat format;
    std::size_t bytes_of_eight;  // what eight values take
  };
  using enum StorageFormat;
  const Case cases[] = {{"BOOL", boolean, 8},     {"U8", u8, 8},           {"I8", i8, 8},
                        {"U16", u16, 16},         {"I16", i16, 16},        {"U32", u32, 32},
                        {"I32", i32, 32},         {"U64", u64, 64},        {"I64", i64, 64},
                        {"F16", f16, 16},         {"BF16", bf16, 16},      {"F32", f32, 32},
                        {"F64", f64, 64},         {"F8_E4M3", f8_e4m3, 8}, {"F8_E5M2", f8_e5m2, 8},
                        {"F8_E8M0", f8_e8m0, 8},  {"F4", f4_e2m1, 4},      {"F6_E2M3", other, 6},
                        {"F6_E3M2", other, 6},    {"C64", other, 64},      {"F8_E4M3FNUZ", other, 8},
                        {"F8_E5M2FNUZ", other, 8}};
  for (const Case& c : cases) {
    CAPTURE(c.dtype);
    SafetensorsWriter right;
    right.add("t", c.dtype, {2, 4}, std::string(c.bytes_of_eight, 'x'));
    const std::vector<TensorInfo> tensors = read(right.finish());
    REQUIRE(tensors.size() == 1);
    CHECK(tensors[0].format == c.format);
    CHECK(tensors[0].type_name == c.dtype);
    SafetensorsWriter wrong;
    wrong.add("t", c.dtype, {2, 4}, std::string(c.bytes_of_eight + 1, 'x'));
    check_corrupt(wrong.finish(), {"tensor 't'", std::to_string(c.bytes_of_eight)});
  }
}

TEST_CASE("a tensor of an unknown dtype is kept with its bytes, whatever its shape says") {
  SafetensorsWriter writer;
  writer.add("t", "F3_TOMORROW", {5, 7}, std::string("abc"));
  const std::vector<TensorInfo> tensors = read(writer.finish());
  REQUIRE(tensors.size() == 1);
  CHECK(tensors[0].format == StorageFormat::other);
  CHECK(tensors[0].type_name == "F3_TOMORROW");
  CHECK(tensors[0].bytes == 3);
}

TEST_CASE("a file without tensors is valid") { CHECK(read(safetensors_file("{}", "")).empty()); }

TEST_CASE("entries may stand in another order than the data") {
  const auto tensors = read(safetensors_file(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},
    "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                                             "xyz"));
  REQUIRE(tensors.size() == 2);
  CHECK(tensors[0].name == "a");
  CHECK(tensors[1].name == "b");
}

TEST_CASE("a header length out of bounds is refused before anything is read") {
  check_corrupt("", {"0 bytes"});
  check_corrupt("1234567", {"7 bytes"});
  check_corrupt(std::string("\x01\0\0\0\0\0\0\0", 8), {"length 1 ", "0 bytes follow"});
  check_corrupt(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), {"18446744073709551615", "100000000"});
  check_corrupt(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10), {"100000001"});
  check_corrupt(safetensors_file("", ""), {"expected '{'"});
}

TEST_CASE("a header that is not the format's JSON is refused with what it lacks") {
  check_header_corrupt("[]", 0, {"'{'"});
  check_header_corrupt(" {}", 0, {"'{'"});
  check_header_corrupt("{\"a\":", 0, {"byte 5"});
  check_header_corrupt("{\"\xff\":1}", 0, {"UTF-8"});
  check_header_corrupt(R"({"t":1})", 0, {"tensor 't'", "dtype"});
  check_header_corrupt(R"({"t":{"dtype":1,"shape":[1],"data_offsets":[0,1]}})", 1, {"tensor 't'", "dtype"});
  check_header_corrupt(R"({"t":{"dtype":"U8","data_offsets":[0,1]}})", 1, {"tensor 't'", "shape"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, {"tensor 't'", "shape"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1,-1],"data_offsets":[0,1]}})", 1, {"tensor 't'", "shape[1]"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}})", 1, {"tensor 't'", "shape[0]"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", 1, {"tensor 't'", "shape[0]"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1]}})", 1, {"tensor 't'", "data_offsets"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, {"tensor 't'", "data_offsets"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 1, {"tensor 't'", "data_offsets"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, {"tensor 't'", "data_offsets"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", 1, {"tensor 't'", "data_offsets"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551615]}})", 1, {"data_offsets"});
  check_header_corrupt(R"({"__metadata__":[]})", 0, {"__metadata__"});
  check_header_corrupt(R"({"__metadata__":{"a":null}})", 0, {"__metadata__", "'a'"});
  check_header_corrupt(R"({"t":null})", 0, {"tensor 't'", "dtype"});
  check_header_corrupt(R"({"t":{"dtype":null,"shape":[1],"data_offsets":[0,1]}})", 1, {"tensor 't'", "dtype"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":null,"data_offsets":[0,1]}})", 1, {"tensor 't'", "shape"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[null],"data_offsets":[0,1]}})", 1, {"tensor 't'", "shape[0] is null"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":null}})", 1, {"tensor 't'", "data_offsets"});
  check_header_corrupt(R"({"__metadata__":{"a":1}})", 0, {"__metadata__", "'a'"});
  check_header_corrupt("{\"t\":" + std::string(100'000, '[') + "}", 0, {"less nesting"});
}

TEST_CASE("metadata that is null is none") {
  CHECK(read(safetensors_file(R"({"__metadata__":null,"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "d")).size() ==
        1);
}

TEST_CASE("integers of a header are written as integers") {
  for (const std::string one : {"1.0", "1e0", "1E0", "10e-1", "true", "\"1\"", "null", "[1]"}) {
    check_header_corrupt("{\"t\":{\"dtype\":\"U8\",\"shape\":[" + one + "],\"data_offsets\":[0,1]}}", 1,
                         {"tensor 't'", "shape[0]", "integer"});
    check_header_corrupt("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0," + one + "]}}", 1,
                         {"tensor 't'", "data_offsets", "integers"});
  }
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0.0,1]}})", 1, {"[0.0, 1]", "integers"});
}

TEST_CASE("a name that appears twice is refused") {
  check_header_corrupt(
      R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2,
      {"'t' appears twice"});
}

TEST_CASE("holes, overlaps and uncovered data are refused") {
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, {"'t' begins at byte 1", "end at 0"});
  check_header_corrupt(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})", 3,
      {"'b' begins at byte 2", "end at 1"});
  check_header_corrupt(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
      {"'b' begins at byte 1", "end at 2"});
  check_header_corrupt(
      R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2,
      {"begins at byte 0", "end at 2"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, {"take 1 bytes", "has 2"});
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 2, {"take 3 bytes", "has 2"});
  check_header_corrupt("{}", 1, {"take 0 bytes", "has 1"});
}

TEST_CASE("sizes that overflow, that fill no whole bytes or that contradict the offsets are refused") {
  check_header_corrupt(R"({"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, {"does not fit"});
  check_header_corrupt(R"({"t":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", 0, {"does not fit"});
  check_header_corrupt(R"({"t":{"dtype":"F7","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, {"does not fit"});
  check_header_corrupt(R"({"t":{"dtype":"F7","shape":[4294967296,2147483648],"data_offsets":[0,0]}})", 0, {"2^63-1"});
  check_header_corrupt(R"({"t":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2, {"12 bits", "whole bytes"});
  check_header_corrupt(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, {"8 bytes of F32", "4"});
}

TEST_CASE("a file cut at any byte is refused") {
  const std::string content = small_file();
  for (std::size_t length = 0; length < content.size(); ++length) {
    CAPTURE(length);
    CHECK_THROWS_AS(read(content.substr(0, length)), Error);
  }
}

TEST_CASE("a file with any bit flipped is refused, or read with every tensor inside it") {
  const std::string content = small_file();
  int accepted = 0;
  for (std::size_t bit = 0; bit < content.size() * 8; ++bit) {
    CAPTURE(bit);
    std::string damaged = content;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << bit % 8));
    try {
      check_within(read(damaged), damaged.size());
      ++accepted;
    } catch (const Error& error) {
      CHECK(error.status() == Status::corrupt_file);
    }
  }
  CHECK(accepted > 0);  // flips in names and in the data change nothing that could be checked
}

TEST_CASE("random bytes after a plausible length never do worse than an error") {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string header(random() % 64, ' ');
    for (char& c : header) c = "{}[]\":,0123456789eE.-tfn \\"[random() % 25];
    const std::string content = safetensors_file("{" + header, "data");
    CHECK_THROWS_AS(read(content), Error);
  }
}

TEST_CASE("a read that fails is passed on as it came") {
  MemoryFileSystem files;
  files.put("m.safetensors", small_file());
  for (int reads = 0; reads < 2; ++reads) {
    files.policy().reads_until_fault = reads;
    const auto file = files.open("m.safetensors");
    check_error(Status::io_error, {"m.safetensors"}, [&] { io::read_safetensors_header(*file, 0); });
  }
}

TEST_CASE("a folder is opened by its index when it has one") {
  MemoryFileSystem files;
  files.put("f/model-00001-of-00002.safetensors", one_tensor("a", "AA"));
  files.put("f/model-00002-of-00002.safetensors", one_tensor("b", "BBB"));
  files.put("f/model.safetensors", "not read");
  files.put("f/model.safetensors.index.json", R"({"metadata": {"total_size": 1}, "weight_map":
    {"b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors"}})");
  const auto source = io::open_safetensors_folder(files, "f");
  CHECK(source->parts() == 2);
  REQUIRE(source->find("a"));
  REQUIRE(source->find("b"));
  CHECK(source->part(source->find("b")->part).path() == "f/model-00002-of-00002.safetensors");
  CHECK(std::memcmp(source->bytes(*source->find("b")).data(), "BBB", 3) == 0);
}

TEST_CASE("an index whose shards are gone does not count beside a whole model.safetensors") {
  MemoryFileSystem files;
  files.put("f/model.safetensors", one_tensor("whole"));
  files.put("f/model.safetensors.index.json", R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  CHECK(io::open_safetensors_folder(files, "f")->find("whole"));
  files.put("f/1.safetensors", one_tensor("a"));  // one of two is not enough
  CHECK(io::open_safetensors_folder(files, "f")->find("whole"));
  files.put("f/2.safetensors", one_tensor("b"));
  CHECK(io::open_safetensors_folder(files, "f")->find("a"));
  // Where the index names the file itself, it is a shard and the others are missed.
  files.put("f/model.safetensors.index.json", R"({"weight_map": {"whole": "model.safetensors", "c": "3.safetensors"}})");
  check_error(Status::not_found, {"f/3.safetensors", "index.json"}, [&] { io::open_safetensors_folder(files, "f"); });
}

TEST_CASE("an index must keep to its folder and agree with its files") {
  MemoryFileSystem files;
  files.put("f/one.safetensors", one_tensor("a"));
  files.put("f/two.safetensors", one_tensor("b"));
  files.put("outside.safetensors", one_tensor("a"));
  const auto check_index = [&](std::string index, Status status, std::initializer_list<std::string_view> pieces) {
    CAPTURE(index);
    files.put("f/model.safetensors.index.json", std::move(index));
    check_error(status, pieces, [&] { io::open_safetensors_folder(files, "f"); });
  };
  for (const std::string name : {"../outside.safetensors", "..", ".", "", "/outside.safetensors", "..\\\\outside.safetensors",
                                 "c:outside.safetensors", "one.safetensors\\u0000"}) {
    check_index("{\"weight_map\": {\"a\": \"" + name + "\"}}", Status::corrupt_file, {"index.json", "'a'", "plain name"});
  }
  check_index(R"({"weight_map": {"a": 1}})", Status::corrupt_file, {"index.json", "'a'", "not a string"});
  check_index(R"({"weight_map": []})", Status::corrupt_file, {"index.json", "weight_map"});
  check_index(R"({})", Status::corrupt_file, {"index.json", "weight_map"});
  check_index(R"({"weight_map": )", Status::corrupt_file, {"index.json", "byte 15"});
  check_index(R"({"weight_map": {"a": "three.safetensors"}})", Status::not_found, {"f/three.safetensors", "index.json"});
  check_index(R"({"weight_map": {"a": "two.safetensors"}})", Status::corrupt_file, {"'a'", "two.safetensors"});
  check_index(R"({"weight_map": {"a": "two.safetensors", "b": "one.safetensors"}})", Status::corrupt_file,
              {"does not have it"});
  check_index(R"({"weight_map": {"c": "two.safetensors"}})", Status::corrupt_file, {"'c'", "two.safetensors"});
  check_index(R"({"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}})", Status::corrupt_file, {"appears twice"});
  files.put("f/two.safetensors", one_tensor("a"));
  check_index(R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})", Status::corrupt_file,
              {"f/two.safetensors", "'a'", "first in f/one.safetensors"});
}

TEST_CASE("without an index a folder's model.safetensors counts, or else its only safetensors file") {
  MemoryFileSystem files;
  files.put("f/golden.safetensors", one_tensor("golden"));
  CHECK(io::open_safetensors_folder(files, "f")->find("golden"));
  files.put("f/consolidated.safetensors", one_tensor("consolidated"));
  CHECK(io::open_safetensors_folder(files, "f")->find("golden"));
  files.put("f/model.safetensors", one_tensor("model"));
  CHECK(io::open_safetensors_folder(files, "f/")->find("model"));
  files.put("g/consolidated.safetensors", one_tensor("consolidated"));
  CHECK(io::open_safetensors_folder(files, "g")->find("consolidated"));
}

TEST_CASE("a folder without weights, or with several files and nothing to say which, is refused with what was expected") {
  MemoryFileSystem files;
  files.put("f/config.json", "{}");
  check_error(Status::not_found, {"f:", "model.safetensors.index.json"}, [&] { io::open_safetensors_folder(files, "f"); });
  files.put("f/model-00001-of-00002.safetensors", one_tensor("a"));
  files.put("f/model-00002-of-00002.safetensors", one_tensor("b"));
  check_error(Status::not_found, {"2 *.safetensors", "model-00001-of-00002.safetensors", "index.json"},
              [&] { io::open_safetensors_folder(files, "f"); });
}
