// What must hold of any tensors that a reader accepted, whatever the file: a violation traps.
#pragma once

#include "io/tensor_source.hpp"

namespace fathom::fuzz {

inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

inline volatile unsigned read_bytes = 0;  // keeps the reads from being optimised away

// Shapes, sizes and places agree, names find their tensors, and the ends of the bytes can be read.
inline void check_tensors(const io::TensorSource& source) {
  unsigned sum = 0;
  for (const io::TensorInfo& tensor : source.tensors()) {
    require(source.find(tensor.name) == &tensor);
    require(tensor.values() >= 0);
    for (const std::int64_t dim : tensor.shape) require(dim >= 0);
    const StorageLayout& layout = storage_layout(tensor.format);
    if (tensor.format != StorageFormat::other) {
      require(tensor.values() % layout.block_values == 0);
      require(std::uint64_t(tensor.values()) / layout.block_values * layout.block_bytes == tensor.bytes);
    }
    const std::span<const std::byte> bytes = source.bytes(tensor);
    require(bytes.size() == tensor.bytes);
    if (!bytes.empty()) sum += unsigned(bytes.front()) + unsigned(bytes.back());
  }
  read_bytes = sum;
}

}  // namespace fathom::fuzz
