// Decoding by every table against lib/quant: the same values, for all codes, from any block of a row.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

using test::Exact;
using test::Factors;
using test::SampleMatrix;
using enum StorageFormat;

// Equal, or both NaN. (-0 may stand for 0.)
bool same(float a, float b) { return a == b || (a != a && b != b); }

void check_decode(const SampleMatrix& w) {
  const std::int64_t block = storage_layout(w.format()).block_values;
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    CAPTURE(std::string(storage_layout(w.format()).name));
    CAPTURE(w.cols());
    REQUIRE(bool(table->decode_row[int(w.format())]));
    for (std::int64_t row = 0; row < w.rows(); ++row) {
      for (std::int64_t first = 0; first < w.cols(); first += block * (1 + w.cols() / block / 7)) {
        for (const std::int64_t count : {w.cols() - first, block}) {
          const Exact<float> out{std::size_t(count)};
          table->decode_row[int(w.format())](w.view(), row, first, count, out.get());
          for (std::int64_t k = 0; k < count; ++k) REQUIRE(same(out[std::size_t(k)], w.value(row, first + k)));
        }
      }
    }
  }
}

TEST_CASE("every table decodes every format to the values of lib/quant") {
  Rng rng(7);
  for (const StorageFormat format :
       {f32, f16, bf16, f8_e4m3, f4_e2m1, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4}) {
    const std::int64_t block = storage_layout(format).block_values;
    for (const std::int64_t blocks : {1, 2, 7, 8, 9, 33}) check_decode(SampleMatrix(format, 3, blocks * block, rng));
  }
}

TEST_CASE("factors beside the weights are applied tile by tile") {
  Rng rng(8);
  for (const Factors factors : {Factors::f32_tiles, Factors::e8m0_tiles}) {
    for (const std::int64_t cols : {1, 127, 128, 129, 300}) check_decode(SampleMatrix(f8_e4m3, 5, cols, rng, factors, 2, 128));
    for (const std::int64_t cols : {32, 64, 480}) check_decode(SampleMatrix(f4_e2m1, 5, cols, rng, factors, 1, 32));
  }
}

template <typename Code>
void check_all_codes(Format format, std::size_t codes, float (*expected)(Code)) {
  Exact<Code> bytes(codes);
  for (std::size_t code = 0; code < codes; ++code) bytes[code] = Code(code);
  WeightRows w;
  w.data = reinterpret_cast<const std::uint8_t*>(bytes.get());
  w.cols = std::int64_t(codes);
  w.row_bytes = w.cols * std::int64_t(sizeof(Code));
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    const Exact<float> out(codes);
    table->decode_row[format](w, 0, 0, w.cols, out.get());
    for (std::size_t code = 0; code < codes; ++code) REQUIRE(same(out[code], expected(Code(code))));
  }
}

TEST_CASE("every table decodes all codes of F16, BF16 and E4M3") {
  check_all_codes<std::uint16_t>(kF16, 65536, f16_to_f32);
  check_all_codes<std::uint16_t>(kBF16, 65536, bf16_to_f32);
  check_all_codes<std::uint8_t>(kF8_E4M3, 256, e4m3_to_f32);
}

TEST_CASE("every table decodes all E8M0 exponents of MXFP4 and of split factors") {
  for (int exponent = 0; exponent < 256; ++exponent) {
    Exact<std::uint8_t> block(17), codes(16), factor(1);
    block[0] = factor[0] = std::uint8_t(exponent);
    for (std::size_t j = 0; j < 16; ++j) block[1 + j] = codes[j] = std::uint8_t(17 * j);
    WeightRows mx, split;
    mx.data = block.get();
    split.data = codes.get();
    mx.cols = split.cols = 32;
    mx.row_bytes = 17;
    split.row_bytes = 16;
    split.scales = factor.get();
    split.scale_stride = split.scale_is_e8m0 = 1;
    split.scale_cols = 32;
    for (const KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      CAPTURE(exponent);
      const Exact<float> a(32), b(32);
      table->decode_row[kMXFP4](mx, 0, 0, 32, a.get());
      table->decode_row[kF4_E2M1](split, 0, 0, 32, b.get());
      for (std::size_t j = 0; j < 16; ++j) {
        const float expected = kE2M1[j] * e8m0_to_f32(std::uint8_t(exponent));
        REQUIRE(same(a[j], expected));
        REQUIRE(same(a[j + 16], expected));
        REQUIRE(same(b[2 * j], expected));
        REQUIRE(same(b[2 * j + 1], expected));
      }
    }
  }
}

}  // namespace
}  // namespace fathom::kernels
