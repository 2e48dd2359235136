#include "io/gguf.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>

#include "support/check_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using fathom::test::ByteSink;
using fathom::test::check_error;
using fathom::test::GgufWriter;
using fathom::test::MemoryFileSystem;
using io::GgufHeader;
using io::TensorInfo;

namespace {

GgufHeader read(const std::string& content) {
  MemoryFileSystem files;
  files.put("m.gguf", content);
  return io::read_gguf_header(*files.open("m.gguf"), 2);
}

void check_refused(Status status, const std::string& content, std::initializer_list<std::string_view> pieces) {
  check_error(status, {"m.gguf"}, [&] { read(content); });
  check_error(status, pieces, [&] { read(content); });
}
void check_corrupt(const std::string& content, std::initializer_list<std::string_view> pieces) {
  check_refused(Status::corrupt_file, content, pieces);
}

// A file by hand: the preamble with these counts, then `body`.
std::string raw_file(std::int64_t tensors, std::int64_t entries, const std::string& body, std::uint32_t version = 3) {
  ByteSink out;
  out.bytes = "GGUF";
  out.number(version);
  out.number(tensors);
  out.number(entries);
  return out.bytes + body;
}

struct RawTensor {
  std::string name = "t";
  std::vector<std::int64_t> dims = {32};  // innermost first, as the file has them
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

std::string tensor_file(const std::vector<RawTensor>& tensors, std::size_t data_bytes) {
  ByteSink out;
  for (const RawTensor& tensor : tensors) {
    out.string(tensor.name);
    out.number(std::uint32_t(tensor.dims.size()));
    for (const std::int64_t dim : tensor.dims) out.number(dim);
    out.number(tensor.type);
    out.number(tensor.offset);
  }
  std::string file = raw_file(std::int64_t(tensors.size()), 0, out.bytes);
  file.resize((file.size() + 31) / 32 * 32);
  return file + std::string(data_bytes, 'd');
}

std::string small_file() {
  GgufWriter writer;
  writer.add("general.architecture", "deepseek2");
  writer.add("general.alignment", std::uint32_t(32));
  writer.add("n", std::uint16_t(7));
  writer.add_array("tokens", std::vector<std::string>{"a", "bc", ""});
  writer.add_array("scores", std::vector<float>{1.0f, -2.5f});
  writer.add_tensor("norm", StorageFormat::f32, {2}, std::string("ABCDEFGH"));
  writer.add_tensor("matrix", StorageFormat::q8_0, {2, 32}, std::string(68, 'q'));
  return writer.finish();
}

}  // namespace

TEST_CASE("metadata of every type becomes a value that holds it exactly") {
  GgufWriter writer;
  writer.add("u8", std::uint8_t(255));
  writer.add("i8", std::int8_t(-128));
  writer.add("u16", std::uint16_t(65535));
  writer.add("i16", std::int16_t(-32768));
  writer.add("u32", std::uint32_t(0xffffffffu));
  writer.add("i32", std::int32_t(-7));
  writer.add("u64", ~std::uint64_t(0));
  writer.add("small u64", std::uint64_t(5));
  writer.add("i64", std::int64_t(-1) << 62);
  writer.add("f32", 1e-6f);
  writer.add("f64", 1e-300);
  writer.add("integral f32", 4.0f);
  writer.add("integral f64", 4.0);
  writer.add_array("floats", std::vector<float>{1.0f, 2.0f});
  writer.add("yes", true);
  writer.add("no", false);
  writer.add("text", std::string("a\0b", 3));
  writer.add("empty", "");
  writer.add_array("ints", std::vector<std::int32_t>{-1, 2, -3});
  writer.add_array("texts", std::vector<std::string>{"x", "", "yz"});
  writer.add_array("flags", std::span<const bool>(std::array{true, false}));
  writer.add_array("nothing", std::vector<std::uint64_t>{});
  const GgufHeader header = read(writer.finish());
  const io::Value& m = header.metadata;
  CHECK(header.version == 3);
  CHECK(header.tensors.empty());
  CHECK(m["u8"].as_int() == 255);
  CHECK(m["i8"].as_int() == -128);
  CHECK(m["u16"].as_int() == 65535);
  CHECK(m["i16"].as_int() == -32768);
  CHECK(m["u32"].as_int() == 0xffffffff);
  CHECK(m["i32"].as_int() == -7);
  CHECK(m["u64"].is_integer());
  CHECK_FALSE(m["u64"].as_int());
  CHECK(m["small u64"].as_int() == 5);
  CHECK(m["i64"].as_int() == std::int64_t(-1) << 62);
  CHECK(m["f32"].as_double() == double(1e-6f));
  CHECK(m["f64"].as_double() == 1e-300);
  CHECK_FALSE(m["integral f32"].as_int());  // a type of its own: no count, whatever its value
  CHECK(m["integral f32"].as_double() == 4.0);
  CHECK_FALSE(m["integral f64"].is_integer());
  REQUIRE(m["floats"].array().size() == 2);
  CHECK_FALSE(m["floats"].array()[0].as_int());
  CHECK(m["floats"].array()[0].as_double() == 1.0);
  CHECK(m["yes"].as_bool() == true);
  CHECK(m["no"].as_bool() == false);
  CHECK(m["text"].as_string() == std::string_view("a\0b", 3));
  CHECK(m["empty"].as_string() == "");
  REQUIRE(m["ints"].array().size() == 3);
  CHECK(m["ints"].array()[2].as_int() == -3);
  REQUIRE(m["texts"].array().size() == 3);
  CHECK(m["texts"].array()[2].as_string() == "yz");
  CHECK(m["flags"].array()[1].as_bool() == false);
  CHECK(m["nothing"].is_array());
}

TEST_CASE("tensors come with outermost dimension first and with their place in the file") {
  const std::string content = small_file();
  const GgufHeader header = read(content);
  REQUIRE(header.tensors.size() == 2);
  const TensorInfo& norm = header.tensors[0];
  const TensorInfo& matrix = header.tensors[1];
  CHECK(norm.name == "norm");
  CHECK(norm.part == 2);
  CHECK(norm.bytes == 8);
  CHECK(content.substr(norm.offset, 8) == "ABCDEFGH");
  CHECK(matrix.format == StorageFormat::q8_0);
  CHECK(matrix.type_name == "Q8_0");
  CHECK(matrix.shape == std::vector<std::int64_t>{2, 32});
  CHECK(matrix.bytes == 68);
  CHECK(matrix.offset == norm.offset + 32);
  CHECK(content.substr(matrix.offset, 68) == std::string(68, 'q'));
}

TEST_CASE("version 2 is laid out as version 3") {
  GgufWriter writer(32, 2);
  writer.add("k", "v");
  const GgufHeader header = read(writer.finish());
  CHECK(header.version == 2);
  CHECK(header.metadata["k"].as_string() == "v");
}

TEST_CASE("every storage format that GGUF has an id for is read with the size of its blocks") {
  int known = 0;
  for (int i = 0; i < kStorageFormats; ++i) {
    const StorageLayout& layout = storage_layout(StorageFormat(i));
    if (test::gguf_type_id(layout.format) == 0xffffffffu) continue;
    CAPTURE(layout.name);
    ++known;
    GgufWriter writer;
    writer.add_tensor("t", layout.format, {3, 2 * layout.block_values}, std::string(6 * layout.block_bytes, 'x'));
    const GgufHeader header = read(writer.finish());
    CHECK(header.tensors[0].format == layout.format);
    CHECK(header.tensors[0].type_name == layout.name);
    CHECK(header.tensors[0].bytes == 6 * layout.block_bytes);
    if (layout.block_values > 1) {
      GgufWriter ragged;
      ragged.add_tensor("t", layout.format, {2, layout.block_values / 2}, std::string(layout.block_bytes, 'x'));
      check_corrupt(ragged.finish(), {"tensor 't'", "whole blocks"});
    }
  }
  CHECK(known == 35);  // the rows of the format's type table
}

TEST_CASE("retired and unknown tensor types are refused by tensor and id") {
  for (const std::uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 57u, 0xffffffffu}) {
    CAPTURE(id);
    check_refused(Status::unsupported, tensor_file({{"t", {32}, id, 0}}, 4096), {"tensor 't'", "type " + std::to_string(id)});
  }
}

TEST_CASE("scalars, empty dimensions and four dimensions are legal, five are not") {
  const auto shapes = tensor_file({{"a", {}, 0, 0}, {"b", {4, 0}, 0, 32}, {"c", {2, 1, 3, 1}, 0, 32}}, 64);
  const GgufHeader header = read(shapes);
  CHECK(header.tensors[0].shape.empty());
  CHECK(header.tensors[0].bytes == 4);
  CHECK(header.tensors[1].shape == std::vector<std::int64_t>{0, 4});
  CHECK(header.tensors[1].bytes == 0);
  CHECK(header.tensors[2].shape == std::vector<std::int64_t>{1, 3, 1, 2});
  check_corrupt(tensor_file({{"t", {1, 1, 1, 1, 1}, 0, 0}}, 4), {"5 dimensions"});
}

TEST_CASE("another magic, version 1, a future version and the other byte order are refused as such") {
  check_corrupt("", {"magic"});
  check_corrupt("GGU", {"magic"});
  check_corrupt("GGML" + std::string(100, '\0'), {"not a GGUF file"});
  check_refused(Status::unsupported, raw_file(0, 0, "", 1), {"version 1 "});
  check_refused(Status::unsupported, raw_file(0, 0, "", 4), {"version 4 "});
  check_refused(Status::unsupported, raw_file(0, 0, "", 0), {"version 0 "});
  check_refused(Status::unsupported, raw_file(0, 0, "", 0x03000000), {"big-endian"});
}

TEST_CASE("counts that the file has no room for are refused before anything is reserved") {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  check_corrupt(raw_file(huge, 0, ""), {"number of tensors", "byte 8"});
  check_corrupt(raw_file(-1, 0, ""), {"number of tensors", "-1"});
  check_corrupt(raw_file(0, huge, std::string(1000, '\0')), {"number of metadata entries", "byte 16"});
  check_corrupt(raw_file(0, -1, ""), {"number of metadata entries", "-1"});
  check_corrupt(raw_file(10, 0, std::string(231, '\0')), {"number of tensors", "at most"});
}

TEST_CASE("strings longer than the rest of the file or their limit are refused") {
  ByteSink key;
  key.number(~std::uint64_t(0));
  check_corrupt(raw_file(0, 1, key.bytes + "abcdefgh"), {"metadata key", "byte 24", "18446744073709551615"});
  GgufWriter long_key;
  long_key.add(std::string(65536, 'k'), std::uint8_t(0));
  check_corrupt(long_key.finish(), {"metadata key", "65536", "65535"});
  GgufWriter longest_key;
  longest_key.add(std::string(65535, 'k'), std::uint8_t(0));
  CHECK(read(longest_key.finish()).metadata.object().size() == 1);
  GgufWriter value;
  value.add_raw("k", 8, std::string("\xff\0\0\0\0\0\0\0abc", 11));
  check_corrupt(value.finish(), {"k at byte", "255"});
}

TEST_CASE("keys must be there once and have a name") {
  GgufWriter twice;
  twice.add("k", std::uint8_t(0));
  twice.add("k", std::uint8_t(0));
  check_corrupt(twice.finish(), {"'k'", "twice"});
  GgufWriter empty;
  empty.add("", std::uint8_t(0));
  check_corrupt(empty.finish(), {"empty metadata key", "byte 24"});
}

TEST_CASE("unknown value types, nested arrays and arrays without room are refused") {
  GgufWriter unknown;
  unknown.add_raw("k", 13, "xxxx");
  check_corrupt(unknown.finish(), {"'k'", "type 13"});

  const auto array = [](std::uint32_t type, std::uint64_t count, const std::string& elements) {
    ByteSink value;
    value.number(type);
    value.number(count);
    GgufWriter writer;
    writer.add_raw("k", 9, value.bytes + elements);
    return writer.finish();
  };
  ByteSink inner;
  inner.number(std::uint32_t(0));
  inner.number(std::uint64_t(0));
  check_corrupt(array(9, 1, inner.bytes), {"'k'", "no array in an array"});
  check_corrupt(array(13, 1, "x"), {"'k'", "type 13"});
  for (const std::uint32_t type : {9u, 13u, 14u, 255u, 0x80000000u, 0xffffffffu}) {  // also where no value has that type
    CAPTURE(type);
    check_corrupt(array(type, 0, ""), {"'k'", "type " + std::to_string(type)});
  }
  for (std::uint32_t type = 0; type <= 12; ++type) {
    if (type != 9) CHECK(read(array(type, 0, "")).metadata["k"].is_array());
  }
  check_corrupt(array(4, 1000, "xxxx"), {"'k'", "array of 1000"});
  check_corrupt(array(8, ~std::uint64_t(0), ""), {"'k'", "array of 18446744073709551615"});
  check_corrupt(array(0, (1u << 24) + 1, std::string((1u << 24) + 100, 'x')), {"'k'", "array of 16777217", "16777216"});
}

TEST_CASE("alignment is a u32 that is a power of two, and places the tensors") {
  for (const std::uint32_t alignment : {1u, 8u, 64u, 4096u}) {
    CAPTURE(alignment);
    GgufWriter writer(alignment);
    writer.add("filler", std::string(13, 'f'));
    writer.add_tensor("a", StorageFormat::i8, {5}, std::string("hello"));
    writer.add_tensor("b", StorageFormat::i8, {5}, std::string("world"));
    const std::string content = writer.finish();
    const GgufHeader header = read(content);
    CHECK(content.substr(header.tensors[0].offset, 5) == "hello");
    CHECK(content.substr(header.tensors[1].offset, 5) == "world");
    CHECK(header.tensors[1].offset % alignment == 0);
  }
  for (const std::uint32_t alignment : {0u, 3u, 48u}) {
    CAPTURE(alignment);
    GgufWriter writer;
    writer.add("general.alignment", alignment);
    check_corrupt(writer.finish(), {"general.alignment", std::to_string(alignment)});
  }
  GgufWriter wrong_type;
  wrong_type.add("general.alignment", std::uint64_t(32));
  check_corrupt(wrong_type.finish(), {"general.alignment", "u32"});
  GgufWriter real;
  real.add("general.alignment", 32.0f);
  check_corrupt(real.finish(), {"general.alignment", "32.0", "u32"});
  GgufWriter text;
  text.add("general.alignment", "32");
  check_corrupt(text.finish(), {"general.alignment", "u32"});
  GgufWriter huge;
  huge.add("general.alignment", std::uint32_t(1) << 31);
  huge.add_tensor("t", StorageFormat::f32, {1}, std::string("abcd"));
  check_corrupt(huge.finish(), {"'t'", "pass the end"});
}

TEST_CASE("tensor names are unique and at most 63 bytes") {
  check_corrupt(tensor_file({{"t", {8}, 0, 0}, {"t", {8}, 0, 32}}, 64), {"'t'", "twice"});
  CHECK(read(tensor_file({{std::string(63, 'n'), {8}, 0, 0}}, 32)).tensors.size() == 1);
  check_corrupt(tensor_file({{std::string(64, 'n'), {8}, 0, 0}}, 32), {"tensor name", "64"});
}

TEST_CASE("dimensions that are negative or overflow are refused") {
  const std::int64_t large = std::int64_t(1) << 40;
  check_corrupt(tensor_file({{"t", {-32}, 0, 0}}, 32), {"'t'", "dimension -32"});
  check_corrupt(tensor_file({{"t", {large, large}, 0, 0}}, 32), {"'t'", "does not fit"});
  check_corrupt(tensor_file({{"t", {std::int64_t(1) << 32, std::int64_t(1) << 31}, 24, 0}}, 32), {"'t'", "2^63-1"});
  check_corrupt(tensor_file({{"t", {std::int64_t(1) << 62}, 28, 0}}, 32), {"'t'", "does not fit"});
  check_corrupt(tensor_file({{"t", {std::int64_t(1) << 60}, 28, 0}}, 32), {"'t'", "pass the end"});
}

TEST_CASE("offsets must be aligned, follow one another and stay in the file") {
  check_corrupt(tensor_file({{"t", {8}, 0, 4}}, 64), {"'t'", "offset 4", "alignment 32"});
  check_corrupt(tensor_file({{"t", {8}, 0, 32}}, 64), {"'t'", "offset 32", "ends at 0"});
  check_corrupt(tensor_file({{"a", {8}, 0, 0}, {"b", {8}, 0, 64}}, 128), {"'b'", "offset 64", "ends at 32"});
  check_corrupt(tensor_file({{"a", {8}, 0, 0}, {"b", {8}, 0, 0}}, 128), {"'b'", "offset 0", "ends at 32"});
  check_corrupt(tensor_file({{"t", {8}, 0, ~std::uint64_t(31)}}, 64), {"'t'", "18446744073709551584"});
  check_corrupt(tensor_file({{"t", {9}, 0, 0}}, 32), {"'t'", "36 bytes", "pass the end"});
  CHECK(read(tensor_file({{"a", {9}, 0, 0}, {"b", {1}, 0, 64}}, 68)).tensors[1].bytes == 4);  // unpadded at the end
}

TEST_CASE("a file cut at any byte is refused, but for the padding behind its last tensor") {
  const std::string content = small_file();
  const TensorInfo last = read(content).tensors[1];
  for (std::size_t length = 0; length < last.offset + last.bytes; ++length) {
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
      for (const TensorInfo& tensor : read(damaged).tensors) {
        REQUIRE(tensor.offset <= damaged.size());
        REQUIRE(tensor.bytes <= damaged.size() - tensor.offset);
        const StorageLayout& layout = storage_layout(tensor.format);
        REQUIRE(std::uint64_t(tensor.values()) / layout.block_values * layout.block_bytes == tensor.bytes);
      }
      ++accepted;
    } catch (const Error& error) {
      CHECK((error.status() == Status::corrupt_file || error.status() == Status::unsupported));
    }
  }
  CHECK(accepted > 0);
}

TEST_CASE("a header larger than one chunk is read in the right places") {
  constexpr int kTokens = 100'000;
  GgufWriter writer;
  std::vector<std::string> tokens;
  for (int i = 0; i < kTokens; ++i) tokens.push_back("token " + std::to_string(i));
  writer.add_array("tokens", tokens);
  writer.add("template", std::string(1'000'000, 't'));
  writer.add("after", std::uint32_t(42));
  writer.add_tensor("t", StorageFormat::f32, {1}, std::string("abcd"));
  const std::string content = writer.finish();
  const GgufHeader header = read(content);
  REQUIRE(header.metadata["tokens"].array().size() == kTokens);
  CHECK(header.metadata["tokens"].array()[kTokens - 1].as_string() == tokens.back());
  CHECK(header.metadata["template"].as_string() == std::string(1'000'000, 't'));
  CHECK(header.metadata["after"].as_int() == 42);
  CHECK(content.substr(header.tensors[0].offset, 4) == "abcd");
}

TEST_CASE("a read that fails is passed on as it came") {
  MemoryFileSystem files;
  files.put("m.gguf", small_file());
  files.policy().reads_until_fault = 0;
  const auto file = files.open("m.gguf");
  check_error(Status::io_error, {"m.gguf"}, [&] { io::read_gguf_header(*file, 0); });
}
