// The table of formats, and whole rows by way of one block at a time.
#include "quant/formats.hpp"

#include "base/error.hpp"
#include "quant/codecs.hpp"

namespace fathom::quant {
namespace {

#define FATHOM_ENTER(id, ...) {StorageFormat::id, decode_##id, encode_##id},
constexpr Format kFormats[] = {FATHOM_COMPUTED_FORMATS(FATHOM_ENTER)};
#undef FATHOM_ENTER

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
