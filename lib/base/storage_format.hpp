// How numbers lie in a checkpoint: names and block geometry of every storage format that files may hold.
// What the bytes mean is lib/quant's affair; containers need only the sizes.
#pragma once

#include <cstdint>
#include <string_view>

namespace fathom {

enum class StorageFormat : std::uint8_t {
  f32,
  f16,
  bf16,
  f64,
  f8_e4m3,  // one byte a value; factors lie in a second tensor, one for a tile of rows x columns
  f4_e2m1,  // two values a byte, low nibble first; factors (E8M0) in a second tensor, one for 32 columns of a row
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q8_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  // Known by size only: a loader can name them and step over them.
  iq2_xxs,
  iq2_xs,
  iq3_xxs,
  iq1_s,
  iq3_s,
  iq2_s,
  iq1_m,
  tq1_0,
  tq2_0,
  nvfp4,
  q1_0,
  q2_0,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  f8_e5m2,
  f8_e8m0,
  other,  // a type this version has no name for
};
inline constexpr int kStorageFormats = int(StorageFormat::other) + 1;

struct StorageLayout {
  StorageFormat format;
  std::string_view name;       // as GGUF or safetensors spell it, upper case
  std::uint32_t block_values;  // values in one block
  std::uint32_t block_bytes;   // bytes of one block
};

// Layout of a format; {other, "?", 0, 0} for `other`.
const StorageLayout& storage_layout(StorageFormat format) noexcept;

}  // namespace fathom
