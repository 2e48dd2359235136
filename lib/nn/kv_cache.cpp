#include "nn/kv_cache.hpp"

#include <cstring>
#include <numeric>

namespace fathom::nn {
namespace {

std::int64_t page_count(std::int64_t context_length) { return (context_length + KvCache::kPageRows - 1) / KvCache::kPageRows; }

}  // namespace

std::int64_t KvCacheShape::page_bytes() const noexcept {
  const std::int64_t values = std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
  return values * KvCache::kPageRows * std::int64_t(storage_layout(format).block_bytes);
}

std::int64_t KvCache::bytes_for(const KvCacheShape& shape, std::int64_t context_length) noexcept {
  return page_count(context_length) * shape.page_bytes();
}

KvCache::KvCache(const KvCacheShape& shape, std::int64_t context_length, Allocator& allocator)
    : shape_(shape), context_length_(context_length), value_bytes_(storage_layout(shape.format).block_bytes) {
  std::int64_t offset = 0;
  for (std::int64_t width : shape_.widths) {
    layer_offset_.push_back(offset);
    offset += width * value_bytes_ * kPageRows;
  }
  const std::int64_t pages = page_count(context_length);
  pages_.reserve(std::size_t(pages));
  for (std::int64_t i = 0; i < pages; ++i) pages_.emplace_back(allocator, std::size_t(offset), MemoryPurpose::cache);
}

std::byte* KvCache::row(int layer, std::int64_t position) const noexcept {
  const Buffer& page = pages_[std::size_t(position / kPageRows)];
  return page.data() + layer_offset_[std::size_t(layer)] + position % kPageRows * width(layer) * value_bytes_;
}

void KvCache::store(const kernels::KernelTable& kernels, int layer, std::int64_t position, const float* values) noexcept {
  std::byte* out = row(layer, position);
  const std::int64_t n = width(layer);
  switch (shape_.format) {
    case StorageFormat::f16: kernels.f32_to_f16(values, n, reinterpret_cast<std::uint16_t*>(out)); break;
    case StorageFormat::bf16: kernels.f32_to_bf16(values, n, reinterpret_cast<std::uint16_t*>(out)); break;
    default: std::memcpy(out, values, std::size_t(n) * sizeof(float)); break;
  }
}

kernels::WeightRows KvCache::page(int layer, std::int64_t page, std::int64_t first_column, std::int64_t columns) const noexcept {
  kernels::WeightRows rows;
  rows.data = reinterpret_cast<const std::uint8_t*>(row(layer, page * kPageRows) + first_column * value_bytes_);
  rows.row_bytes = width(layer) * value_bytes_;
  rows.cols = columns;
  return rows;
}

}  // namespace fathom::nn
