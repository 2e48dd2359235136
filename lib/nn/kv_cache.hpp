// What attention remembers: for each layer and position one row of numbers, in pages of 64 positions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/allocator.hpp"
#include "base/storage_format.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::nn {

// A row of a layer consists of parts: [key of each kv head | value of each kv head] for grouped-query attention, one part
// [normed latent | rotated key] for latent attention, as DeepSeek-V2 section 2.1 has it. Layers may differ in their parts. In a
// page the 64 rows of a part lie together: what attention reads at once is one run of memory.
struct KvCacheShape {
  StorageFormat format = StorageFormat::f16;      // f32, f16, bf16 or q8_0
  std::vector<std::vector<std::int64_t>> layers;  // widths of each layer's parts in values, multiples of the format's block

  static KvCacheShape uniform(StorageFormat format, const std::vector<std::int64_t>& parts, int layers) {
    return {format, std::vector(std::size_t(layers), parts)};
  }
  std::int64_t width(int layer, int part) const noexcept { return layers[std::size_t(layer)][std::size_t(part)]; }
  std::int64_t row_bytes(int layer, int part) const noexcept;
  std::int64_t page_bytes() const noexcept;  // of all layers
};

// One sequence's cache. Pages are taken when it is made, so that filling it cannot fail; memory of untouched pages costs
// nothing on systems that hand it out on first use. Forks share pages until one of them may write there.
class KvCache {
 public:
  static constexpr std::int64_t kPageRows = 64;

  KvCache(const KvCacheShape& shape, std::int64_t context_length, Allocator& allocator);

  // A cache with the same first `length` rows: full pages are shared, the one that `length` cuts is copied, the rest is new.
  // Throws Error{out_of_memory}.
  KvCache fork(std::int64_t length) const;
  // Rows from `length` on will be written again: shared pages from there on become this cache's own, with the rows before
  // `length` copied. Throws Error{out_of_memory}, and is then as it was.
  void rewind(std::int64_t length);

  StorageFormat format() const noexcept { return shape_.format; }
  std::int64_t context_length() const noexcept { return context_length_; }
  int layers() const noexcept { return int(shape_.layers.size()); }
  int parts(int layer) const noexcept { return int(shape_.layers[std::size_t(layer)].size()); }

  // Stores one row, all its parts one after another, narrowed to the cache's format.
  void store(const kernels::KernelTable& kernels, int layer, std::int64_t position, const float* row) noexcept;
  // Rows [page * 64, page * 64 + 64) of a layer's part.
  kernels::WeightRows page(int layer, std::int64_t page, int part) const noexcept;

  // The first `rows` of them as they are stored, for saving and restoring. To write them the page must be this cache's own.
  std::span<std::byte> stored_rows(int layer, std::int64_t page, int part, std::int64_t rows) const noexcept {
    return {part_of(*pages_[std::size_t(page)], layer, part), std::size_t(rows * shape_.row_bytes(layer, part))};
  }

  static std::int64_t bytes_for(const KvCacheShape& shape, std::int64_t context_length) noexcept;

 private:
  KvCache() = default;
  std::byte* part_of(const Buffer& page, int layer, int part) const noexcept {
    return page.data() + part_offset_[std::size_t(layer)][std::size_t(part)];
  }
  // A page of this cache's own; the first `rows` rows of every layer as in page `index`.
  std::shared_ptr<Buffer> new_page(std::int64_t index, std::int64_t rows) const;

  Allocator* allocator_ = nullptr;
  KvCacheShape shape_;
  std::int64_t context_length_ = 0;
  std::vector<std::vector<std::int64_t>> part_offset_;  // of each layer: where a part's rows begin in a page
  std::vector<std::shared_ptr<Buffer>> pages_;
};

}  // namespace fathom::nn
