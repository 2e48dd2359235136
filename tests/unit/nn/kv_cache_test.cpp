#include "nn/kv_cache.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "base/float_types.hpp"
#include "base/rng.hpp"
#include "support/check_error.hpp"
#include "unit/kernels/tables.hpp"

using namespace fathom;
using nn::KvCache;
using nn::KvCacheShape;

namespace {

// The value that a row's column has by construction, and what a format makes of it.
float original(int layer, std::int64_t position, std::int64_t column) {
  return float(layer + 1) * 0.1f + float(position) * 0.37f - float(column) * 1.9f;
}
float narrowed(StorageFormat format, float value) {
  if (format == StorageFormat::f16) return f16_to_f32(f32_to_f16(value));
  if (format == StorageFormat::bf16) return bf16_to_f32(f32_to_bf16(value));
  return value;
}

class NoMemory final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    return granted-- > 0 ? heap_allocator().allocate(bytes, alignment, purpose) : nullptr;
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    heap_allocator().release(memory, bytes, alignment, purpose);
    ++released;
  }
  int granted = 0, released = 0;
};

}  // namespace

TEST_CASE("rows come back narrowed to the cache's format, in every layer, over page borders") {
  const std::vector<std::int64_t> widths{40, 7, 65};
  constexpr std::int64_t kContext = 130;
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : {StorageFormat::f32, StorageFormat::f16, StorageFormat::bf16}) {
      CAPTURE(table->name);
      CAPTURE(storage_layout(format).name);
      KvCache cache({format, widths}, kContext, heap_allocator());
      for (int layer = 0; layer < 3; ++layer) {
        for (std::int64_t position = 0; position < kContext; ++position) {
          std::vector<float> row;
          for (std::int64_t c = 0; c < widths[std::size_t(layer)]; ++c) row.push_back(original(layer, position, c));
          cache.store(*table, layer, position, row.data());
        }
      }
      bool same = true;
      for (int layer = 0; layer < 3; ++layer) {
        const std::int64_t width = widths[std::size_t(layer)], first = 3;
        CHECK(cache.width(layer) == width);
        for (std::int64_t position = 0; position < kContext; ++position) {
          const kernels::WeightRows page = cache.page(layer, position / 64, first, width - first);
          CHECK(page.cols == width - first);
          std::vector<float> row(std::size_t(width - first));
          table->decode_row[int(format)](page, position % 64, 0, width - first, row.data());
          for (std::int64_t c = 0; c < width - first; ++c) {
            same &= row[std::size_t(c)] == narrowed(format, original(layer, position, first + c));
          }
        }
      }
      CHECK(same);
    }
  }
}

TEST_CASE("a cache's bytes are whole pages of 64 positions in every layer") {
  const KvCacheShape shape{StorageFormat::f16, {576, 576}};
  CHECK(shape.page_bytes() == 64 * 2 * 576 * 2);
  CHECK(KvCache::bytes_for(shape, 1) == shape.page_bytes());
  CHECK(KvCache::bytes_for(shape, 64) == shape.page_bytes());
  CHECK(KvCache::bytes_for(shape, 65) == 2 * shape.page_bytes());
  CHECK(KvCache::bytes_for({StorageFormat::f32, {10}}, 8192) == 8192 * 10 * 4);
}

TEST_CASE("a cache takes all its pages when it is made, and gives back those it got when one is refused") {
  NoMemory allocator;
  allocator.granted = 2;
  test::check_error(Status::out_of_memory, {"the cache"}, [&] { KvCache({StorageFormat::f32, {8}}, 200, allocator); });
  CHECK(allocator.released == 2);
  allocator.granted = 4;
  { const KvCache cache({StorageFormat::f32, {8}}, 200, allocator); }
  CHECK(allocator.released == 6);
}
