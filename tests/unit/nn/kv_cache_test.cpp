#include "nn/kv_cache.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
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

TEST_CASE("layers may differ in their parts: rows, forks and rewinds keep each layer's own") {
  const KvCacheShape shape{StorageFormat::f16, {{48}, {8, 8, 16, 16}, {}, {1, 3}}};
  CHECK(shape.page_bytes() == 64 * 2 * (48 + 48 + 4));
  const kernels::KernelTable& table = *kernels::scalar_table();
  KvCache cache(shape, 130, heap_allocator());
  CHECK(cache.parts(0) == 1);
  CHECK(cache.parts(2) == 0);
  const auto store = [&](KvCache& into, std::int64_t position, float add) {
    for (int layer = 0; layer < cache.layers(); ++layer) {
      std::vector<float> row;
      for (std::int64_t c = 0; c < 48; ++c) row.push_back(original(layer, position, c) + add);
      into.store(table, layer, position, row.data());
    }
  };
  const auto check = [&](const KvCache& from, std::int64_t position, float add) {
    for (int layer = 0; layer < cache.layers(); ++layer) {
      std::int64_t column = 0;
      for (int part = 0; part < cache.parts(layer); ++part) {
        const kernels::WeightRows page = from.page(layer, position / 64, part);
        std::vector<float> values(std::size_t(page.cols));
        table.decode_row[int(StorageFormat::f16)](page, position % 64, 0, page.cols, values.data());
        for (const float value : values)
          CHECK(value == narrowed(StorageFormat::f16, original(layer, position, column++) + add));
      }
    }
  };
  for (std::int64_t position = 0; position < 130; ++position) store(cache, position, 0);
  KvCache fork = cache.fork(70);
  for (std::int64_t position = 70; position < 130; ++position) store(fork, position, 5);
  cache.rewind(69);
  store(cache, 69, 7);
  for (const std::int64_t position : {0, 63, 64, 68}) {
    check(cache, position, 0);
    check(fork, position, 0);
  }
  check(cache, 69, 7);
  check(fork, 69, 0);
  check(fork, 129, 5);
  check(cache, 129, 0);
}

TEST_CASE("rows come back narrowed to the cache's format, in every layer and part, over page borders") {
  const std::vector<std::int64_t> parts{40, 7, 65};
  constexpr std::int64_t kContext = 130, kWidth = 40 + 7 + 65;
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : {StorageFormat::f32, StorageFormat::f16, StorageFormat::bf16}) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      KvCache cache(KvCacheShape::uniform(format, parts, 3), kContext, heap_allocator());
      CHECK(cache.layers() == 3);
      CHECK(cache.parts(2) == 3);
      for (int layer = 0; layer < 3; ++layer) {
        for (std::int64_t position = 0; position < kContext; ++position) {
          std::vector<float> row;
          for (std::int64_t c = 0; c < kWidth; ++c) row.push_back(original(layer, position, c));
          cache.store(*table, layer, position, row.data());
        }
      }
      bool same = true;
      for (int layer = 0; layer < 3; ++layer) {
        std::int64_t column = 0;
        for (int part = 0; part < 3; ++part) {
          const std::int64_t width = parts[std::size_t(part)];
          for (std::int64_t position = 0; position < kContext; ++position) {
            const kernels::WeightRows page = cache.page(layer, position / 64, part);
            same &= page.cols == width && page.row_bytes == width * storage_layout(format).block_bytes;
            std::vector<float> row(static_cast<std::size_t>(width));
            table->decode_row[int(format)](page, position % 64, 0, width, row.data());
            for (std::int64_t c = 0; c < width; ++c) {
              same &= row[std::size_t(c)] == narrowed(format, original(layer, position, column + c));
            }
          }
          column += width;
        }
      }
      CHECK(same);
    }
  }
}

TEST_CASE("rows of a Q8_0 cache come back within half a step of their blocks, the same from every table") {
  const std::vector<std::int64_t> parts{576, 32, 320};
  constexpr std::int64_t kContext = 70, kBlock = 32, kWidth = 576 + 32 + 320;
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    Rng rng(5);
    KvCache cache(KvCacheShape::uniform(StorageFormat::q8_0, parts, 1), kContext, heap_allocator());
    KvCache reference(KvCacheShape::uniform(StorageFormat::q8_0, parts, 1), kContext, heap_allocator());
    bool near = true, same = true;
    for (std::int64_t position = 0; position < kContext; ++position) {
      std::vector<float> row, back(static_cast<std::size_t>(kWidth));
      for (std::int64_t c = 0; c < kWidth; ++c)
        row.push_back(c < kBlock && position == 3 ? 0.0f : test::uniform(rng, -4.0f, 4.0f));
      cache.store(*table, 0, position, row.data());
      reference.store(*kernels::scalar_table(), 0, position, row.data());
      float* out = back.data();
      for (int part = 0; part < 3; ++part) {
        const kernels::WeightRows page = cache.page(0, position / 64, part);
        table->decode_row[kernels::kQ8_0](page, position % 64, 0, page.cols, std::exchange(out, out + page.cols));
      }
      for (std::int64_t block = 0; block < kWidth; block += kBlock) {
        float largest = 0.0f;
        for (std::int64_t c = block; c < block + kBlock; ++c) largest = std::max(largest, std::abs(row[std::size_t(c)]));
        // half a step, and what rounding the step to F16 moves the outermost code by
        const float tolerance = largest * (0.501f / 127.0f + 0x1p-11f);
        for (std::int64_t c = block; c < block + kBlock; ++c)
          near &= std::abs(back[std::size_t(c)] - row[std::size_t(c)]) <= tolerance;
      }
    }
    for (const std::int64_t page : {0, 1}) {
      for (int part = 0; part < 3; ++part) {
        const std::int64_t count = page == 0 ? 64 : kContext - 64;
        const auto rows = cache.stored_rows(0, page, part, count), expected = reference.stored_rows(0, page, part, count);
        same &= rows.size() == expected.size() && !std::memcmp(rows.data(), expected.data(), rows.size());
      }
    }
    CHECK(near);
    CHECK(same);
  }
}

TEST_CASE("a cache's bytes are whole pages of 64 positions in every layer") {
  const KvCacheShape shape = KvCacheShape::uniform(StorageFormat::f16, {512, 64}, 2);
  CHECK(shape.page_bytes() == 64 * 2 * 576 * 2);
  CHECK(KvCache::bytes_for(shape, 1) == shape.page_bytes());
  CHECK(KvCache::bytes_for(shape, 64) == shape.page_bytes());
  CHECK(KvCache::bytes_for(shape, 65) == 2 * shape.page_bytes());
  CHECK(KvCache::bytes_for(KvCacheShape::uniform(StorageFormat::f32, {10}, 1), 8192) == 8192 * 10 * 4);
  CHECK(KvCache::bytes_for(KvCacheShape::uniform(StorageFormat::q8_0, {576, 64}, 1), 8192) == 8192 * (576 + 64) / 32 * 34);
}

TEST_CASE("a cache takes all its pages when it is made, and gives back those it got when one is refused") {
  NoMemory allocator;
  allocator.granted = 2;
  test::check_error(Status::out_of_memory, {"the cache"},
                    [&] { KvCache(KvCacheShape::uniform(StorageFormat::f32, {8}, 1), 200, allocator); });
  CHECK(allocator.released == 2);
  allocator.granted = 4;
  {
    const KvCache cache(KvCacheShape::uniform(StorageFormat::f32, {8}, 1), 200, allocator);
  }
  CHECK(allocator.released == 6);
}

namespace {

// Two layers of two parts, whose columns are all one number.
KvCacheShape small() { return KvCacheShape::uniform(StorageFormat::f32, {1, 2}, 2); }
float read_row(const KvCache& cache, std::int64_t position) {
  float found[2][3];
  for (int layer = 0; layer < 2; ++layer) {
    for (int part = 0; part < 2; ++part) {
      const kernels::WeightRows page = cache.page(layer, position / KvCache::kPageRows, part);
      std::memcpy(&found[layer][part], page.data + position % KvCache::kPageRows * page.row_bytes, std::size_t(page.row_bytes));
    }
  }
  for (const auto& row : found) {
    for (const float value : row) {
      if (value != found[0][0]) return -1.0f;
    }
  }
  return found[0][0];
}
void write_rows(KvCache& cache, std::int64_t first, std::int64_t last, float offset) {
  for (std::int64_t position = first; position < last; ++position) {
    const float value = float(position) + offset, row[] = {value, value, value};
    for (int layer = 0; layer < 2; ++layer) cache.store(*kernels::scalar_table(), layer, position, row);
  }
}

}  // namespace

TEST_CASE("a fork has the rows before its length, and what either writes after it stays with that one") {
  constexpr std::int64_t kContext = 300;
  for (const std::int64_t length : {0, 1, 63, 64, 65, 128, 200, 300}) {
    CAPTURE(length);
    KvCache original(small(), kContext, heap_allocator());
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
  KvCache original(small(), kContext, heap_allocator());
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
  KvCache original(small(), 256, memory);
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
