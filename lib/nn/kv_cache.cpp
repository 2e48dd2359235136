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
    : allocator_(&allocator), shape_(shape), context_length_(context_length), value_bytes_(storage_layout(shape.format).block_bytes) {
  std::int64_t offset = 0;
  for (std::int64_t width : shape_.widths) {
    layer_offset_.push_back(offset);
    offset += width * value_bytes_ * kPageRows;
  }
  const std::int64_t pages = page_count(context_length);
  pages_.reserve(std::size_t(pages));
  for (std::int64_t i = 0; i < pages; ++i) pages_.push_back(new_page(i, 0));
}

std::shared_ptr<Buffer> KvCache::new_page(std::int64_t index, std::int64_t rows) const {
  auto page = std::make_shared<Buffer>(*allocator_, std::size_t(shape_.page_bytes()), MemoryPurpose::cache);
  for (std::size_t layer = 0; rows > 0 && layer < layer_offset_.size(); ++layer) {
    std::memcpy(page->data() + layer_offset_[layer], pages_[std::size_t(index)]->data() + layer_offset_[layer],
                std::size_t(rows * shape_.widths[layer] * value_bytes_));
  }
  return page;
}

KvCache KvCache::fork(std::int64_t length) const {
  KvCache copy;
  copy.allocator_ = allocator_;
  copy.shape_ = shape_;
  copy.context_length_ = context_length_;
  copy.value_bytes_ = value_bytes_;
  copy.layer_offset_ = layer_offset_;
  const std::int64_t whole = length / kPageRows;
  copy.pages_.assign(pages_.begin(), pages_.begin() + whole);
  for (std::int64_t i = whole; i < std::int64_t(pages_.size()); ++i) {
    copy.pages_.push_back(new_page(i, i == whole ? length % kPageRows : 0));
  }
  return copy;
}

void KvCache::rewind(std::int64_t length) {
  std::vector<std::shared_ptr<Buffer>> pages = pages_;
  for (std::int64_t i = length / kPageRows; i < std::int64_t(pages.size()); ++i) {
    // One use here and one in the copy of the list: nobody else can come by this page.
    if (pages[std::size_t(i)].use_count() > 2) {
      pages[std::size_t(i)] = new_page(i, i == length / kPageRows ? length % kPageRows : 0);
    }
  }
  pages_ = std::move(pages);
}

std::byte* KvCache::row(int layer, std::int64_t position) const noexcept {
  const Buffer& page = *pages_[std::size_t(position / kPageRows)];
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
