#include "nn/latent_heads.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/allocator.hpp"
#include "unit/kernels/sample_matrix.hpp"
#include "unit/kernels/tables.hpp"

using namespace fathom;
using nn::LatentHeads;
using nn::LatentShape;
using test::Exact;
using test::SampleMatrix;

namespace {

WeightView view_of(const SampleMatrix& sample) { return {sample.format(), sample.rows(), sample.cols(), sample.view()}; }

// W_UK and W_UV of every head in one of the two stored forms, with the values they decode to.
struct Heads {
  Heads(const LatentShape& s, StorageFormat format, bool split, Rng& rng)
      : shape(s),
        is_split(split),
        first(format, split ? s.heads * s.kv_lora_rank : s.heads * (s.nope_dim + s.value_dim),
              split ? s.nope_dim : s.kv_lora_rank, rng),
        second(format, s.heads * s.value_dim, s.kv_lora_rank, rng),
        heads(split ? LatentHeads::split(s, view_of(first), view_of(second)) : LatentHeads::joined(s, view_of(first))) {}

  double w_uk(std::int64_t head, std::int64_t i, std::int64_t c) const {
    if (is_split) return first.value(head * shape.kv_lora_rank + c, i);
    return first.value(head * (shape.nope_dim + shape.value_dim) + i, c);
  }
  double w_uv(std::int64_t head, std::int64_t i, std::int64_t c) const {
    if (is_split) return second.value(head * shape.value_dim + i, c);
    return first.value(head * (shape.nope_dim + shape.value_dim) + shape.nope_dim + i, c);
  }

  LatentShape shape;
  bool is_split;
  SampleMatrix first, second;
  LatentHeads heads;
};

struct Case {
  StorageFormat format;
  LatentShape shape;
};
const Case kCases[] = {
    {StorageFormat::f32, {3, 40, 24, 16, 20}},   {StorageFormat::bf16, {3, 40, 24, 16, 20}},
    {StorageFormat::f16, {2, 64, 32, 8, 32}},    {StorageFormat::q8_0, {3, 64, 32, 16, 32}},
    {StorageFormat::q5_0, {2, 96, 64, 16, 48}},  {StorageFormat::q4_k, {1, 256, 256, 16, 8}},
    {StorageFormat::mxfp4, {2, 64, 32, 16, 32}},
};

// The largest error of a stored product of n terms: F32 rounding, and half a step of 1/127 of the largest activation where
// activations are rounded to 8 bits.
double allowed(double magnitude, double weight_sum, double largest, std::int64_t n, bool rounds) {
  return double(n + 32) * 0x1p-23 * magnitude + (rounds ? weight_sum * largest / 254.0 * 1.01 : 0.0);
}

template <typename Body>
void for_every_case(Body body) {
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const Case& c : kCases) {
      for (const bool split : {false, true}) {
        CAPTURE(std::string(table->name));
        CAPTURE(std::string(storage_layout(c.format).name));
        CAPTURE(split);
        Rng rng(8);
        body(*table, Heads(c.shape, c.format, split, rng), !kernels::is_floating(int(c.format)), rng);
      }
    }
  }
}

double largest_of(const float* x, std::int64_t n) {
  double largest = 0.0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(double(x[i])));
  return largest;
}

}  // namespace

TEST_CASE("absorbing a query multiplies it by the transposed key projection of its head") {
  for_every_case([](const kernels::KernelTable& table, const Heads& h, bool quantised, Rng& rng) {
    const LatentShape& s = h.shape;
    for (const std::int64_t rows : {1, 5, 8}) {
      const Exact<float> q = test::random_floats(std::size_t(rows * s.nope_dim), rng);
      const Exact<std::byte> scratch(h.heads.scratch_bytes(rows));
      for (std::int64_t head = 0; head < s.heads; ++head) {
        Exact<float> y(std::size_t(rows * s.kv_lora_rank));
        h.heads.absorb_query(table, head, q.get(), s.nope_dim, rows, y.get(), s.kv_lora_rank, {scratch.get(), scratch.size});
        bool close = true;
        for (std::int64_t r = 0; r < rows; ++r) {
          const float* x = q.get() + r * s.nope_dim;
          for (std::int64_t c = 0; c < s.kv_lora_rank; ++c) {
            double expected = 0.0, magnitude = 0.0, weights = 0.0;
            for (std::int64_t i = 0; i < s.nope_dim; ++i) {
              expected += h.w_uk(head, i, c) * double(x[i]);
              magnitude += std::fabs(h.w_uk(head, i, c) * double(x[i]));
              weights += std::fabs(h.w_uk(head, i, c));
            }
            const double off = std::fabs(double(y[std::size_t(r * s.kv_lora_rank + c)]) - expected);
            close &= off <= allowed(magnitude, weights, largest_of(x, s.nope_dim), s.nope_dim, quantised && h.is_split);
          }
        }
        CHECK(close);
      }
    }
  });
}

TEST_CASE("expanding a value multiplies the attended latent by the value projection of its head") {
  for_every_case([](const kernels::KernelTable& table, const Heads& h, bool quantised, Rng& rng) {
    const LatentShape& s = h.shape;
    for (const std::int64_t rows : {1, 7}) {
      const Exact<float> u = test::random_floats(std::size_t(rows * s.kv_lora_rank), rng);
      const Exact<std::byte> scratch(h.heads.scratch_bytes(rows));
      for (std::int64_t head = 0; head < s.heads; ++head) {
        Exact<float> y(std::size_t(rows * s.value_dim));
        h.heads.expand_value(table, head, u.get(), s.kv_lora_rank, rows, y.get(), s.value_dim, {scratch.get(), scratch.size});
        bool close = true;
        for (std::int64_t r = 0; r < rows; ++r) {
          const float* x = u.get() + r * s.kv_lora_rank;
          for (std::int64_t i = 0; i < s.value_dim; ++i) {
            double expected = 0.0, magnitude = 0.0, weights = 0.0;
            for (std::int64_t c = 0; c < s.kv_lora_rank; ++c) {
              expected += h.w_uv(head, i, c) * double(x[c]);
              magnitude += std::fabs(h.w_uv(head, i, c) * double(x[c]));
              weights += std::fabs(h.w_uv(head, i, c));
            }
            const double off = std::fabs(double(y[std::size_t(r * s.value_dim + i)]) - expected);
            close &= off <= allowed(magnitude, weights, largest_of(x, s.kv_lora_rank), s.kv_lora_rank, quantised);
          }
        }
        CHECK(close);
      }
    }
  });
}

TEST_CASE("expanding a key multiplies a latent by the key projection of its head") {
  for_every_case([](const kernels::KernelTable& table, const Heads& h, bool quantised, Rng& rng) {
    const LatentShape& s = h.shape;
    for (const auto& [rows, in_bf16] : {std::pair<std::int64_t, bool>{1, false}, {7, false}, {7, true}, {20, true}}) {
      if (in_bf16 && !table.attention_bf16.products) continue;
      CAPTURE(rows);
      CAPTURE(in_bf16);
      const Exact<float> latents = test::random_floats(std::size_t(rows * s.kv_lora_rank), rng);
      const Buffer scratch(heap_allocator(), h.heads.scratch_bytes(rows), MemoryPurpose::scratch);
      for (std::int64_t head = 0; head < s.heads; ++head) {
        Exact<float> y(std::size_t(rows * s.nope_dim));
        h.heads.expand_key(table, head, latents.get(), s.kv_lora_rank, rows, y.get(), s.nope_dim,
                           {scratch.data(), scratch.bytes()}, in_bf16);
        bool close = true;
        for (std::int64_t r = 0; r < rows; ++r) {
          const float* x = latents.get() + r * s.kv_lora_rank;
          for (std::int64_t i = 0; i < s.nope_dim; ++i) {
            double expected = 0.0, magnitude = 0.0, weights = 0.0;
            for (std::int64_t c = 0; c < s.kv_lora_rank; ++c) {
              expected += h.w_uk(head, i, c) * double(x[c]);
              magnitude += std::fabs(h.w_uk(head, i, c) * double(x[c]));
              weights += std::fabs(h.w_uk(head, i, c));
            }
            const double off = std::fabs(double(y[std::size_t(r * s.nope_dim + i)]) - expected);
            const double rounding = in_bf16 && h.is_split ? 0x1.01p-8 * magnitude : 0.0;  // half a unit of BF16 on both sides
            close &= off <= rounding + allowed(magnitude, weights, largest_of(x, s.kv_lora_rank), s.kv_lora_rank,
                                               quantised && !h.is_split);
          }
        }
        CHECK(close);
      }
    }
  });
}

// (W_UK^T q) . c = q . (W_UK c): what makes attention on latents the same as attention on keys.
TEST_CASE("a score on the latent is the score on the expanded key") {
  for_every_case([](const kernels::KernelTable& table, const Heads& h, bool quantised, Rng& rng) {
    const LatentShape& s = h.shape;
    const Exact<float> q = test::random_floats(std::size_t(s.nope_dim), rng),
                       latent = test::random_floats(std::size_t(s.kv_lora_rank), rng);
    const Exact<std::byte> scratch(h.heads.scratch_bytes(1));
    for (std::int64_t head = 0; head < s.heads; ++head) {
      Exact<float> absorbed(std::size_t(s.kv_lora_rank));
      h.heads.absorb_query(table, head, q.get(), s.nope_dim, 1, absorbed.get(), s.kv_lora_rank, {scratch.get(), scratch.size});
      double on_latent = 0.0, on_key = 0.0, magnitude = 0.0, weights = 0.0;
      for (std::int64_t c = 0; c < s.kv_lora_rank; ++c)
        on_latent += double(absorbed[std::size_t(c)]) * double(latent[std::size_t(c)]);
      for (std::int64_t i = 0; i < s.nope_dim; ++i) {
        double key = 0.0;
        for (std::int64_t c = 0; c < s.kv_lora_rank; ++c) {
          const double term = h.w_uk(head, i, c) * double(latent[std::size_t(c)]);
          key += term;
          magnitude += std::fabs(term * double(q[std::size_t(i)]));
          weights += std::fabs(term);
        }
        on_key += double(q[std::size_t(i)]) * key;
      }
      CHECK(std::fabs(on_latent - on_key) <=
            allowed(magnitude, weights, largest_of(q.get(), s.nope_dim), s.nope_dim, quantised && h.is_split));
    }
  });
}

TEST_CASE("one row's scratch is enough to expand keys that are long") {
  Rng rng(9);
  const LatentShape shape{1, 8, 2048, 16, 8};
  const Heads h(shape, StorageFormat::f32, true, rng);
  const Exact<float> latent = test::random_floats(8, rng);
  const Exact<std::byte> scratch(h.heads.scratch_bytes(1));
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    Exact<float> key(2048);
    h.heads.expand_key(*table, 0, latent.get(), 8, 1, key.get(), 2048, {scratch.get(), scratch.size}, false);
    double expected = 0.0;
    for (std::int64_t c = 0; c < 8; ++c) expected += h.w_uk(0, 2047, c) * double(latent.get()[c]);
    CHECK(double(key[2047]) == doctest::Approx(expected).epsilon(1e-5));
  }
}

TEST_CASE("interleaved heads give the same bits as heads as stored") {
  constexpr std::int64_t kHeads = 2, kRank = 64, kNope = 32, kValue = 48, kRows = 5;
  const LatentShape shape{kHeads, kRank, kNope, 16, kValue};
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    for (const StorageFormat format : {StorageFormat::q8_0, StorageFormat::q5_0, StorageFormat::q4_1}) {
      if (!table->interleave_rows[int(format)]) continue;
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(format).name));
      Rng rng(10);
      const Heads stored(shape, format, true, rng);
      const test::Interleaved keys(*table, stored.first), values(*table, stored.second);
      WeightView key_view = view_of(stored.first), value_view = view_of(stored.second);
      key_view.stored = keys.view;
      value_view.stored = values.view;
      const LatentHeads interleaved = LatentHeads::split(shape, key_view, value_view);
      const Exact<std::byte> memory(interleaved.scratch_bytes(kRows));
      const std::span<std::byte> scratch{memory.get(), memory.size};
      const Exact<float> x = test::random_floats(kRows * kRank, rng);
      for (std::int64_t head = 0; head < kHeads; ++head) {
        std::vector<float> y[2];
        int which = 0;
        for (const LatentHeads* heads : {&stored.heads, &interleaved}) {
          std::vector<float>& out = y[which++];
          out.resize(std::size_t(kRows * (kRank + kNope + kValue)));
          float* at = out.data();
          heads->absorb_query(*table, head, x.get(), kNope, kRows, at, kRank, scratch);
          heads->expand_key(*table, head, x.get(), kRank, kRows, at += kRows * kRank, kNope, scratch, false);
          heads->expand_value(*table, head, x.get(), kRank, kRows, at += kRows * kNope, kValue, scratch);
        }
        CHECK(y[0] == y[1]);
      }
    }
  }
}
