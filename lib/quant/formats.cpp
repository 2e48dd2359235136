// The table of formats, and whole rows by way of one block at a time.
#include "quant/formats.hpp"

#include "base/error.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {
namespace {

constexpr Format kFormats[] = {
    {StorageFormat::f32, decode_f32, encode_f32},
    {StorageFormat::f16, decode_f16, encode_f16},
    {StorageFormat::bf16, decode_bf16, encode_bf16},
    {StorageFormat::f8_e4m3, decode_f8_e4m3, encode_f8_e4m3},
    {StorageFormat::f4_e2m1, decode_f4_e2m1, encode_f4_e2m1},
    {StorageFormat::q4_0, decode_q4_0, encode_q4_0},
    {StorageFormat::q4_1, decode_q4_1, encode_q4_1},
    {StorageFormat::q5_0, decode_q5_0, encode_q5_0},
    {StorageFormat::q5_1, decode_q5_1, encode_q5_1},
    {StorageFormat::q8_0, decode_q8_0, encode_q8_0},
    {StorageFormat::q2_k, decode_q2_k, encode_q2_k},
    {StorageFormat::q3_k, decode_q3_k, encode_q3_k},
    {StorageFormat::q4_k, decode_q4_k, encode_q4_k},
    {StorageFormat::q5_k, decode_q5_k, encode_q5_k},
    {StorageFormat::q6_k, decode_q6_k, encode_q6_k},
    {StorageFormat::iq4_nl, decode_iq4_nl, encode_iq4_nl},
    {StorageFormat::iq4_xs, decode_iq4_xs, encode_iq4_xs},
    {StorageFormat::mxfp4, decode_mxfp4, encode_mxfp4},
};

const Format& codec(StorageFormat id) {
  const Format* format = find_format(id);
  if (!format) fail(Status::unsupported, "fathom does not compute with the storage format {}", storage_layout(id).name);
  return *format;
}

// How many blocks; throws when the two spans do not describe the same row.
std::size_t count_blocks(const StorageLayout& layout, std::size_t bytes, std::size_t values) {
  const std::size_t blocks = values / layout.block_values;
  if (values % layout.block_values != 0 || bytes / layout.block_bytes != blocks || bytes % layout.block_bytes != 0) {
    fail(Status::invalid_argument, "{} holds {} values in {} bytes, so {} bytes cannot be {} values", layout.name,
         layout.block_values, layout.block_bytes, bytes, values);
  }
  return blocks;
}

}  // namespace

const Format* find_format(StorageFormat id) noexcept {
  for (const Format& format : kFormats) {
    if (format.id == id) return &format;
  }
  return nullptr;
}

void decode(StorageFormat id, std::span<const std::byte> blocks, std::span<float> values) {
  const Format& format = codec(id);
  const StorageLayout& layout = storage_layout(id);
  const std::size_t count = count_blocks(layout, blocks.size(), values.size());
  for (std::size_t b = 0; b < count; ++b) {
    format.decode_block(blocks.data() + b * layout.block_bytes, values.data() + b * layout.block_values);
  }
}

void encode(StorageFormat id, std::span<const float> values, std::span<std::byte> blocks) {
  const Format& format = codec(id);
  const StorageLayout& layout = storage_layout(id);
  const std::size_t count = count_blocks(layout, blocks.size(), values.size());
  for (std::size_t b = 0; b < count; ++b) {
    format.encode_block(values.data() + b * layout.block_values, blocks.data() + b * layout.block_bytes);
  }
}

}  // namespace fathom::quant
