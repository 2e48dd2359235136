// Rows side by side: where their bytes go, and that products do not change.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/interleave.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::Interleaved;
using test::SampleMatrix;
using test::SampleQuantised;
using enum StorageFormat;

constexpr StorageFormat kInterleaved[] = {q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs};

// Calls check(table, format) for all that can be interleaved.
template <typename Check>
void with_tables(Check&& check) {
  for (const KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : kInterleaved) {
      if (!table->interleave_rows[int(format)]) continue;
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      check(*table, format);
    }
  }
}

TEST_CASE("fields of sixteen rows lie side by side, in the order of use") {
  struct Run {
    std::int64_t at, bytes;  // in a block: fields of 4 bytes, or one of 2
  };
  struct Shape {
    InterleaveRows interleave;
    std::int64_t block_values;
    std::vector<Run> runs;
  };
  const Shape shapes[] = {
      {interleave_q4_0, 32, {{0, 2}, {2, 16}}},
      {interleave_q4_1, 32, {{0, 4}, {4, 16}}},
      {interleave_q5_0, 32, {{0, 2}, {2, 20}}},
      {interleave_q5_1, 32, {{0, 4}, {4, 20}}},
      {interleave_q8_0, 32, {{0, 2}, {2, 32}}},
      {interleave_q2_k, 256, {{0, 16}, {80, 4}, {16, 64}}},
      {interleave_q3_k, 256, {{96, 12}, {108, 2}, {0, 96}}},
      {interleave_q4_k, 256, {{0, 144}}},
      {interleave_q5_k, 256, {{0, 176}}},
      {interleave_q6_k,
       256,
       {{192, 16},
        {208, 2},
        {128, 16},
        {0, 16},
        {32, 16},
        {144, 16},
        {16, 16},
        {48, 16},
        {160, 16},
        {64, 16},
        {96, 16},
        {176, 16},
        {80, 16},
        {112, 16}}},
      {interleave_iq4_nl, 32, {{0, 2}, {2, 16}}},
      {interleave_iq4_xs, 256, {{0, 136}}},
  };
  constexpr std::int64_t kRows = 48, kBlocks = 11;
  Rng rng(3);
  for (const Shape& shape : shapes) {
    std::int64_t block_bytes = 0;
    for (const Run& run : shape.runs) block_bytes += run.bytes;
    CAPTURE(block_bytes);
    const std::int64_t row_bytes = kBlocks * block_bytes;
    Exact<std::uint8_t> stored(std::size_t(kRows * row_bytes)), out(std::size_t(kRows * row_bytes));
    for (std::size_t i = 0; i < stored.size; ++i) stored[i] = std::uint8_t(rng.next());
    WeightRows w;
    w.data = stored.get();
    w.row_bytes = row_bytes;
    w.cols = kBlocks * shape.block_values;
    shape.interleave(w, 0, kRows, out.get());
    std::vector<std::uint8_t> expected;
    const std::int64_t group_blocks = 256 / shape.block_values;
    for (std::int64_t tile = 0; tile < kRows; tile += 16) {
      for (std::int64_t group = 0; group < kBlocks; group += group_blocks) {
        for (const Run& run : shape.runs) {
          const std::int64_t field = run.bytes == 2 ? 2 : 4;
          for (std::int64_t block = group; block < std::min(group + group_blocks, kBlocks); ++block) {
            for (std::int64_t i = 0; i < run.bytes; i += field) {
              for (std::int64_t row = tile; row < tile + 16; ++row) {
                const std::uint8_t* at = stored.get() + row * row_bytes + block * block_bytes + run.at + i;
                expected.insert(expected.end(), at, at + field);
              }
            }
          }
        }
      }
    }
    REQUIRE(expected.size() == out.size);
    CHECK(!std::memcmp(expected.data(), out.get(), out.size));
    Exact<std::uint8_t> part(std::size_t(16 * row_bytes));
    shape.interleave(w, 16, 32, part.get());
    CHECK(!std::memcmp(part.get(), out.get() + 16 * row_bytes, part.size));
  }
}

TEST_CASE("a row taken out of interleaved ones is the row as stored") {
  Rng rng(4);
  constexpr std::int64_t kRows = 32, kCols = 768;
  with_tables([&](const KernelTable& table, StorageFormat format) {
    const SampleMatrix w(format, kRows, kCols, rng);
    const Interleaved interleaved(table, w);
    for (std::int64_t row = 0; row < kRows; ++row) {
      const Exact<std::uint8_t> taken(std::size_t(w.view().row_bytes));
      table.take_row[int(format)](interleaved.view, row, taken.get());
      CHECK(!std::memcmp(taken.get(), w.view().data + row * w.view().row_bytes, taken.size));
    }
  });
}

TEST_CASE("vector tables interleave every block format that their products read in 8 bits, MXFP4 apart") {
  for (const KernelTable* table : {avx2_table(), avx512_table(), avx512_vnni_table(), avx512_bf16_table(), amx_int8_table()}) {
    if (!table) continue;
    CAPTURE(std::string(table->name));
    for (int format = 0; format < kFormats; ++format) {
      CAPTURE(format);
      const bool blocked = table->matmul_q8[format] && StorageFormat(format) != mxfp4;
      CHECK((table->interleave_rows[format] != nullptr) == blocked);
      CHECK((table->take_row[format] != nullptr) == blocked);
    }
  }
}

TEST_CASE("products of interleaved rows have the bits of products of rows as stored") {
  Rng rng(5);
  constexpr std::int64_t kRows = 48, kMaxM = 131;
  with_tables([&](const KernelTable& table, StorageFormat format) {
    const std::int64_t block = storage_layout(format).block_values;
    for (const std::int64_t cols : {block, 512 + block, std::int64_t(1536)}) {
      CAPTURE(cols);
      const SampleMatrix w(format, kRows, cols, rng);
      const Interleaved interleaved(table, w);
      const SampleQuantised x(test::random_floats(std::size_t(kMaxM * cols), rng), kMaxM, cols);
      for (const std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 131}) {
        CAPTURE(m);
        const Exact<float> expected(std::size_t(m * kRows)), y(std::size_t(m * kRows));
        table.matmul_q8[int(format)](w.view(), 0, kRows, x.view(), m, expected.get(), kRows);
        table.matmul_q8[int(format)](interleaved.view, 0, kRows, x.view(), m, y.get(), kRows);
        CHECK(!std::memcmp(y.get(), expected.get(), y.size * sizeof(float)));
      }
    }
  });
}

TEST_CASE("ranges of groups of 16 interleaved rows give their part, and write nothing else") {
  Rng rng(7);
  constexpr std::int64_t kRows = 80, kMaxM = 9, kCols = 768;
  constexpr float kUntouched = -12345.0f;
  with_tables([&](const KernelTable& table, StorageFormat format) {
    const SampleMatrix w(format, kRows, kCols, rng);
    const Interleaved interleaved(table, w);
    const SampleQuantised x(test::random_floats(std::size_t(kMaxM * kCols), rng), kMaxM, kCols);
    for (const std::int64_t m : {1, 3, 4, 9}) {
      const Exact<float> whole(std::size_t(m * kRows));
      table.matmul_q8[int(format)](w.view(), 0, kRows, x.view(), m, whole.get(), kRows);
      for (std::int64_t first = 0; first < kRows; first += 16) {
        for (std::int64_t last = first + 16; last <= kRows; last += 16) {
          CAPTURE(m);
          CAPTURE(first);
          CAPTURE(last);
          const Exact<float> y(std::size_t(m * kRows));
          std::fill(y.get(), y.get() + y.size, kUntouched);
          table.matmul_q8[int(format)](interleaved.view, first, last, x.view(), m, y.get(), kRows);
          std::int64_t wrong = 0;
          for (std::int64_t i = 0; i < m * kRows; ++i) {
            const bool in_range = i % kRows >= first && i % kRows < last;
            const float want = in_range ? whole[std::size_t(i)] : kUntouched;
            wrong += std::memcmp(&y[std::size_t(i)], &want, sizeof want) != 0;
          }
          CHECK(wrong == 0);
        }
      }
    }
  });
}

}  // namespace
}  // namespace fathom::kernels
