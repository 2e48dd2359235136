// Blocks of every format with any code and sane factors, for the tests of quant and kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/float_types.hpp"
#include "base/rng.hpp"
#include "base/storage_format.hpp"

namespace fathom::test {

struct ByteRange {
  int first = 0, count = 0;
};

// Where a format keeps its factors and its codes; -1 where it has no such field.
struct BlockFields {
  StorageFormat format;
  int d = -1, m = -1;  // F16 factor, F16 offset (m or dmin)
  int exponent = -1;   // E8M0
  ByteRange codes[2];  // all bytes of codes; what is zero here decodes to the offset, or to the lowest code
};

inline constexpr BlockFields kBlockFields[] = {
    {StorageFormat::q4_0, 0, -1, -1, {{2, 16}}},   {StorageFormat::q4_1, 0, 2, -1, {{4, 16}}},
    {StorageFormat::q5_0, 0, -1, -1, {{2, 20}}},   {StorageFormat::q5_1, 0, 2, -1, {{4, 20}}},
    {StorageFormat::q8_0, 0, -1, -1, {{2, 32}}},   {StorageFormat::q2_k, 80, 82, -1, {{16, 64}}},
    {StorageFormat::q3_k, 108, -1, -1, {{0, 96}}}, {StorageFormat::q4_k, 0, 2, -1, {{16, 128}}},
    {StorageFormat::q5_k, 0, 2, -1, {{16, 160}}},  {StorageFormat::q6_k, 208, -1, -1, {{0, 192}}},
    {StorageFormat::iq4_nl, 0, -1, -1, {{2, 16}}}, {StorageFormat::iq4_xs, 0, -1, -1, {{8, 128}}},
    {StorageFormat::mxfp4, -1, -1, 0, {{1, 16}}},
};

// Null for the formats without blocks.
inline const BlockFields* block_fields(StorageFormat format) {
  for (const BlockFields& fields : kBlockFields) {
    if (fields.format == format) return &fields;
  }
  return nullptr;
}

inline void put_f16(std::byte* at, float value) {
  const std::uint16_t bits = f32_to_f16(value);
  std::memcpy(at, &bits, sizeof bits);
}

// Uniform in [low, high).
inline float uniform(Rng& rng, float low, float high) { return low + (high - low) * float(rng.uniform()); }

// Random bytes of `count` values with factors of both signs around 0.02. F8_E4M3 gets no NaN codes.
inline std::vector<std::byte> random_weights(StorageFormat format, std::size_t count, Rng& rng) {
  const StorageLayout& layout = storage_layout(format);
  std::vector<std::byte> bytes(count / layout.block_values * layout.block_bytes);
  for (std::byte& byte : bytes) byte = std::byte(rng.next());
  for (std::size_t at = 0; at < bytes.size(); at += layout.block_bytes) {
    std::byte* block = bytes.data() + at;
    const float value = uniform(rng, -1.0f, 1.0f);
    if (const BlockFields* fields = block_fields(format)) {
      if (fields->d >= 0) put_f16(block + fields->d, uniform(rng, -0.04f, 0.04f));
      if (fields->m >= 0) put_f16(block + fields->m, uniform(rng, -0.04f, 0.04f));
      if (fields->exponent >= 0) block[fields->exponent] = std::byte(118 + rng.next() % 6);
    } else if (format == StorageFormat::f32) {
      std::memcpy(block, &value, sizeof value);
    } else if (format == StorageFormat::f16) {
      put_f16(block, value);
    } else if (format == StorageFormat::bf16) {
      const std::uint16_t bits = f32_to_bf16(value);
      std::memcpy(block, &bits, sizeof bits);
    } else if (format == StorageFormat::f8_e4m3 && (*block & std::byte(0x7f)) == std::byte(0x7f)) {
      *block = std::byte(0);
    }
  }
  return bytes;
}

// The same blocks with every code zero: what they decode to is the offset that kernels may treat apart.
inline void clear_codes(StorageFormat format, std::span<std::byte> bytes) {
  const BlockFields& fields = *block_fields(format);
  const std::size_t block_bytes = storage_layout(format).block_bytes;
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
    for (const ByteRange& range : fields.codes) std::memset(bytes.data() + at + range.first, 0, std::size_t(range.count));
  }
}

}  // namespace fathom::test
