// The storage formats that fathom computes with: one file each, one row each in base/storage_format_list.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/storage_format.hpp"

namespace fathom::quant {

// One block of a format. Scalar code, the definition that kernels are tested against.
struct Format {
  StorageFormat id;
  // block_values floats from block_bytes bytes. For f8_e4m3 and f4_e2m1 without their factors (those lie elsewhere).
  void (*decode_block)(const std::byte* block, float* values);
  // The nearest block in the format's own error measure (simple rounding, no search over many scales is needed).
  void (*encode_block)(const float* values, std::byte* block);
};

// Null when fathom cannot compute with the format.
const Format* find_format(StorageFormat id) noexcept;

// Whole rows; values.size() is a multiple of the block. Throw Error{unsupported} for formats without a codec.
void decode(StorageFormat id, std::span<const std::byte> blocks, std::span<float> values);
void encode(StorageFormat id, std::span<const float> values, std::span<std::byte> blocks);

}  // namespace fathom::quant
