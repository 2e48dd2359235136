#include "nn/kv_cache.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/float_types.hpp"
#include "base/rng.hpp"
#include "support/check_error.hpp"
#include "unit/kernels/tables.hpp"
#include "unit/quant/sample_blocks.hpp"

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
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
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

TEST_CASE("rows of a Q8_0 cache come back within half a step of their blocks, the same from every table") {
  const std::vector<std::int64_t> widths{576, 32, 320};
  constexpr std::int64_t kContext = 70, kBlock = 32;
  Rng rng(5);
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    KvCache cache({StorageFormat::q8_0, widths}, kContext, heap_allocator());
    KvCache reference({StorageFormat::q8_0, widths}, kContext, heap_allocator());
    bool near = true;
    for (int layer = 0; layer < 3; ++layer) {
      const std::int64_t width = widths[std::size_t(layer)], first = width > kBlock ? kBlock : 0;
      for (std::int64_t position = 0; position < kContext; ++position) {
        std::vector<float> row;
        for (std::int64_t c = 0; c < width; ++c) row.push_back(c < kBlock && position == 3 ? 0.0f : test::uniform(rng, -4.0f, 4.0f));
        cache.store(*table, layer, position, row.data());
        reference.store(*kernels::scalar_table(), layer, position, row.data());
        std::vector<float> back(std::size_t(width - first));
        table->decode_row[kernels::kQ8_0](cache.page(layer, position / 64, first, width - first), position % 64, 0, width - first, back.data());
        for (std::int64_t block = first; block < width; block += kBlock) {
          float largest = 0.0f;
          for (std::int64_t c = block; c < block + kBlock; ++c) largest = std::max(largest, std::abs(row[std::size_t(c)]));
          // half a step, and what rounding the step to F16 moves the outermost code by
          const float tolerance = largest * (0.501f / 127.0f + 0x1p-11f);
          for (std::int64_t c = block; c < block + kBlock; ++c) {
            near &= std::abs(back[std::size_t(c - first)] - row[std::size_t(c)]) <= tolerance;
          }
        }
      }
      for (std::int64_t page = 0; page < 2; ++page) {
        const auto rows = cache.stored_rows(layer, page, page == 0 ? 64 : kContext - 64), same = reference.stored_rows(layer, page, page == 0 ? 64 : kContext - 64);
        CHECK(rows.size() == same.size());
        CHECK(!std::memcmp(rows.data(), same.data(), rows.size()));
      }
    }
    CHECK(near);
  }
}

TEST_CASE("a cache's bytes are whole pages of 64 positions in every layer") {
  const KvCacheShape shape{StorageFormat::f16, {576, 576}};
  CHECK(shape.page_bytes() == 64 * 2 * 576 * 2);
  CHECK(KvCache::bytes_for(shape, 1) == shape.page_bytes());
  CHECK(KvCache::bytes_for(shape, 64) == shape.page_bytes());
  CHECK(KvCache::bytes_for(shape, 65) == 2 * shape.page_bytes());
  CHECK(KvCache::bytes_for({StorageFormat::f32, {10}}, 8192) == 8192 * 10 * 4);
  CHECK(KvCache::bytes_for({StorageFormat::q8_0, {576, 64}}, 8192) == 8192 * (576 + 64) / 32 * 34);
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

namespace {

// One layer, one column: a row is a number.
float read_row(const KvCache& cache, std::int64_t position) {
  float value = 0.0f;
  const kernels::WeightRows page = cache.page(0, position / KvCache::kPageRows, 0, 1);
  std::memcpy(&value, page.data + position % KvCache::kPageRows * page.row_bytes, sizeof value);
  return value;
}
void write_rows(KvCache& cache, std::int64_t first, std::int64_t last, float offset) {
  for (std::int64_t position = first; position < last; ++position) {
    const float value = float(position) + offset;
    cache.store(*kernels::scalar_table(), 0, position, &value);
  }
}

}  // namespace

TEST_CASE("a fork has the rows before its length, and what either writes after it stays with that one") {
  constexpr std::int64_t kContext = 300;
  for (const std::int64_t length : {0, 1, 63, 64, 65, 128, 200, 300}) {
    CAPTURE(length);
    KvCache original({StorageFormat::f32, {1}}, kContext, heap_allocator());
    write_rows(original, 0, kContext, 0.0f);
    KvCache fork = original.fork(length);
    write_rows(fork, length, kContext, 1000.0f);
    write_rows(original, length, kContext, 5000.0f);
    bool right = true;
    for (std::int64_t position = 0; position < kContext; ++position) {
      right &= read_row(fork, position) == float(position) + (position < length ? 0.0f : 1000.0f);
      right &= read_row(original, position) == float(position) + (position < length ? 0.0f : 5000.0f);
    }
    CHECK(right);
  }
}

TEST_CASE("a cache rewound into what it shares no longer shares it") {
  constexpr std::int64_t kContext = 256;
  KvCache original({StorageFormat::f32, {1}}, kContext, heap_allocator());
  write_rows(original, 0, kContext, 0.0f);
  KvCache fork = original.fork(200);
  fork.rewind(70);
  write_rows(fork, 70, kContext, 1000.0f);
  bool right = true;
  for (std::int64_t position = 0; position < kContext; ++position) {
    right &= read_row(original, position) == float(position);
    right &= read_row(fork, position) == float(position) + (position < 70 ? 0.0f : 1000.0f);
  }
  CHECK(right);
}

TEST_CASE("a rewind without memory for the copies changes nothing") {
  NoMemory memory;
  memory.granted = 1000;
  KvCache original({StorageFormat::f32, {1}}, 256, memory);
  write_rows(original, 0, 256, 0.0f);
  KvCache fork = original.fork(256);
  memory.granted = 1;
  CHECK_THROWS_AS(fork.rewind(10), Error);
  memory.granted = 0;
  CHECK_THROWS_AS(original.fork(10), Error);
  bool right = true;
  for (std::int64_t position = 0; position < 256; ++position) {
    right &= read_row(original, position) == float(position) && read_row(fork, position) == float(position);
  }
  CHECK(right);
}
