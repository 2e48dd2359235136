#include "base/storage_format.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace fathom;

namespace {

struct Expected {
  StorageFormat format;
  const char* name;
  unsigned block_values, block_bytes;
};

// Bits a value from the formats' definitions: codes, then the factors of a block.
constexpr Expected kExpected[] = {
    {StorageFormat::f32, "F32", 1, 4},
    {StorageFormat::bf16, "BF16", 1, 2},
    {StorageFormat::f8_e4m3, "F8_E4M3", 1, 1},
    {StorageFormat::f4_e2m1, "F4_E2M1", 2, 1},
    {StorageFormat::q4_0, "Q4_0", 32, 16 + 2},
    {StorageFormat::q4_1, "Q4_1", 32, 16 + 4},
    {StorageFormat::q5_0, "Q5_0", 32, 16 + 4 + 2},
    {StorageFormat::q8_0, "Q8_0", 32, 32 + 2},
    {StorageFormat::q2_k, "Q2_K", 256, 64 + 16 + 4},
    {StorageFormat::q3_k, "Q3_K", 256, 64 + 32 + 12 + 2},
    {StorageFormat::q4_k, "Q4_K", 256, 128 + 12 + 4},
    {StorageFormat::q5_k, "Q5_K", 256, 128 + 32 + 12 + 4},
    {StorageFormat::q6_k, "Q6_K", 256, 128 + 64 + 16 + 2},
    {StorageFormat::iq4_xs, "IQ4_XS", 256, 128 + 8},
    {StorageFormat::mxfp4, "MXFP4", 32, 16 + 1},
    {StorageFormat::i64, "I64", 1, 8},
};

}  // namespace

TEST_CASE("formats have the block sizes of their definitions") {
  for (const Expected& expected : kExpected) {
    const StorageLayout& layout = storage_layout(expected.format);
    CAPTURE(std::string(expected.name));
    CHECK(layout.format == expected.format);
    CHECK(layout.name == expected.name);
    CHECK(layout.block_values == expected.block_values);
    CHECK(layout.block_bytes == expected.block_bytes);
  }
}

TEST_CASE("every format but 'other' has a name of its own and a block that is not empty") {
  std::set<std::string> names;
  for (int i = 0; i < int(StorageFormat::other); ++i) {
    const StorageLayout& layout = storage_layout(StorageFormat(i));
    CHECK(int(layout.format) == i);
    CHECK(names.insert(std::string(layout.name)).second);
    CHECK(layout.block_values > 0);
    CHECK(layout.block_bytes > 0);
  }
  CHECK(storage_layout(StorageFormat::other).block_values == 0);
  CHECK(storage_layout(StorageFormat::other).block_bytes == 0);
}

TEST_CASE("a number that is no format has the layout of 'other'") {
  CHECK(storage_layout(StorageFormat(200)).format == StorageFormat::other);
}
