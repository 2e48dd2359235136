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

// Row widths in values. Grouped-query attention stores [keys of all kv heads | values of all kv heads], latent attention
// [normed latent | rotated key], as DeepSeek-V2 section 2.1 has it.
struct KvCacheShape {
  StorageFormat format = StorageFormat::f16;  // f32, f16, bf16 or q8_0
  std::vector<std::int64_t> widths;           // one a layer; multiples of the format's block

  std::int64_t row_bytes(int layer) const noexcept;
  std::int64_t page_bytes() const noexcept;
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
  std::int64_t width(int layer) const noexcept { return shape_.widths[std::size_t(layer)]; }

  // Stores one row, narrowed to the cache's format.
  void store(const kernels::KernelTable& kernels, int layer, std::int64_t position, const float* row) noexcept;
  // Rows [page * 64, page * 64 + 64) of a layer, columns [first_column, first_column + columns), multiples of the format's block.
  kernels::WeightRows page(int layer, std::int64_t page, std::int64_t first_column, std::int64_t columns) const noexcept;

  // The first `rows` rows of a layer in a page, as they are stored, for saving and restoring. To write them the page must be
  // this cache's own.
  std::span<std::byte> stored_rows(int layer, std::int64_t page, std::int64_t rows) const noexcept {
    return {row(layer, page * kPageRows), std::size_t(rows * shape_.row_bytes(layer))};
  }
  int layers() const noexcept { return int(shape_.widths.size()); }

  static std::int64_t bytes_for(const KvCacheShape& shape, std::int64_t context_length) noexcept;

 private:
  KvCache() = default;
  std::byte* row(int layer, std::int64_t position) const noexcept;
  // A page of this cache's own; the first `rows` rows of every layer as in page `index`.
  std::shared_ptr<Buffer> new_page(std::int64_t index, std::int64_t rows) const;

  Allocator* allocator_ = nullptr;
  KvCacheShape shape_;
  std::int64_t context_length_ = 0;
  std::vector<std::int64_t> layer_offset_;  // of a layer's rows in a page, bytes
  std::vector<std::shared_ptr<Buffer>> pages_;
};

}  // namespace fathom::nn
