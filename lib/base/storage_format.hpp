// How numbers lie in a checkpoint: names and block geometry of every storage format that files may hold.
// What the bytes mean is lib/quant's affair; containers need only the sizes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/storage_format_list.hpp"

namespace fathom {

// In the order of storage_format_list.hpp.
#define FATHOM_ENTER(id, ...) id,
enum class StorageFormat : std::uint8_t {
  FATHOM_ALL_FORMATS(FATHOM_ENTER)  //
  other,                            // a type this version has no name for
};
#undef FATHOM_ENTER
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
