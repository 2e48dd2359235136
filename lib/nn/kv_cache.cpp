#include "nn/kv_cache.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/float_types.hpp"

namespace fathom::nn {
namespace {

std::int64_t page_count(std::int64_t context_length) { return (context_length + KvCache::kPageRows - 1) / KvCache::kPageRows; }

std::int64_t bytes_of(StorageFormat format, std::int64_t values) {
  const StorageLayout& layout = storage_layout(format);
  return values / layout.block_values * layout.block_bytes;
}

// Q8_0 as GGUF has it: of 32 values the scale in F16, then the integers.
void store_q8_0(const kernels::KernelTable& kernels, const float* values, std::int64_t n, std::byte* out) {
  constexpr std::int64_t kBlock = 32, kBlocks = 8;  // at once
  std::int8_t codes[kBlocks * kBlock];
  float scales[kBlocks];
  std::int16_t sums[2 * kBlocks];
  for (std::int64_t first = 0; first < n; first += kBlocks * kBlock) {
    const std::int64_t blocks = std::min(kBlocks, (n - first) / kBlock);
    kernels.quantise_row(values + first, blocks * kBlock, codes, scales, sums);
    for (std::int64_t b = 0; b < blocks; ++b, out += sizeof(std::uint16_t) + kBlock) {
      const std::uint16_t scale = f32_to_f16(scales[b]);
      std::memcpy(out, &scale, sizeof scale);
      std::memcpy(out + sizeof scale, codes + b * kBlock, kBlock);
    }
  }
}

}  // namespace

std::int64_t KvCacheShape::row_bytes(int layer, int part) const noexcept { return bytes_of(format, width(layer, part)); }

std::int64_t KvCacheShape::page_bytes() const noexcept {
  std::int64_t values = 0;
  for (const std::vector<std::int64_t>& parts : layers) values = std::accumulate(parts.begin(), parts.end(), values);
  return KvCache::kPageRows * bytes_of(format, values);
}

std::int64_t KvCache::bytes_for(const KvCacheShape& shape, std::int64_t context_length) noexcept {
  return page_count(context_length) * shape.page_bytes();
}

KvCache::KvCache(const KvCacheShape& shape, std::int64_t context_length, Allocator& allocator)
    : allocator_(&allocator), shape_(shape), context_length_(context_length) {
  std::int64_t offset = 0;
  for (int layer = 0; layer < layers(); ++layer) {
    std::vector<std::int64_t>& offsets = part_offset_.emplace_back();
    for (int part = 0; part < parts(layer); ++part) {
      offsets.push_back(offset);
      offset += kPageRows * shape_.row_bytes(layer, part);
    }
  }
  const std::int64_t pages = page_count(context_length);
  pages_.reserve(std::size_t(pages));
  for (std::int64_t i = 0; i < pages; ++i) pages_.push_back(new_page(i, 0));
}

std::shared_ptr<Buffer> KvCache::new_page(std::int64_t index, std::int64_t rows) const {
  auto page = std::make_shared<Buffer>(*allocator_, std::size_t(shape_.page_bytes()), MemoryPurpose::cache);
  if (rows == 0) return page;
  for (int layer = 0; layer < layers(); ++layer) {
    for (int part = 0; part < parts(layer); ++part) {
      const std::span<const std::byte> kept = stored_rows(layer, index, part, rows);
      std::memcpy(part_of(*page, layer, part), kept.data(), kept.size());
    }
  }
  return page;
}

KvCache KvCache::fork(std::int64_t length) const {
  KvCache copy;
  copy.allocator_ = allocator_;
  copy.shape_ = shape_;
  copy.context_length_ = context_length_;
  copy.part_offset_ = part_offset_;
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

void KvCache::store(const kernels::KernelTable& kernels, int layer, std::int64_t position, const float* values) noexcept {
  const Buffer& page = *pages_[std::size_t(position / kPageRows)];
  for (int part = 0; part < parts(layer); ++part) {
    const std::int64_t width = shape_.width(layer, part);
    std::byte* const out = part_of(page, layer, part) + position % kPageRows * shape_.row_bytes(layer, part);
    switch (shape_.format) {
      case StorageFormat::f16:
        kernels.f32_to_f16(values, width, reinterpret_cast<std::uint16_t*>(out));
        break;
      case StorageFormat::bf16:
        kernels.f32_to_bf16(values, width, reinterpret_cast<std::uint16_t*>(out));
        break;
      case StorageFormat::q8_0:
        store_q8_0(kernels, values, width, out);
        break;
      default:
        std::memcpy(out, values, std::size_t(width) * sizeof(float));
        break;
    }
    values += width;
  }
}

kernels::WeightRows KvCache::page(int layer, std::int64_t page, int part) const noexcept {
  kernels::WeightRows rows;
  rows.data = reinterpret_cast<const std::uint8_t*>(part_of(*pages_[std::size_t(page)], layer, part));
  rows.row_bytes = shape_.row_bytes(layer, part);
  rows.cols = shape_.width(layer, part);
  return rows;
}

}  // namespace fathom::nn
