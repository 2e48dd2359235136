// Choosing by time, on a machine that is made up: a clock that only products move.
#include "backend/choose_streams.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/rng.hpp"
#include "kernels/prefetch_rows.hpp"
#include "support/task_systems.hpp"

namespace fathom {
namespace {

using kernels::KernelTable;
using kernels::Prefetch;
using kernels::StreamPrefetch;
using kernels::WeightRows;
using enum StorageFormat;

constexpr std::int64_t kRowBytes = 1152, kCols = 2048;

std::string name_of(const Prefetch& how) {
  for (const auto& row : kernels::kPrefetchRows) {
    if (row.how == how) return std::string(row.name);
  }
  return "?";
}

// Products cost `ns_per_row` for each row of weights, times a factor of the number of rows of activations and the prefetch.
struct Machine {
  std::int64_t now_ns = 1'000'000'000;
  double ns_per_row = 100;
  std::map<std::pair<std::int64_t, std::string>, double> factors;  // 1 where none is given
  double (*weather)(std::int64_t now_ns) = [](std::int64_t) { return 1.0; };
  std::int64_t products = 0;
  std::set<std::int64_t> row_counts;
  bool ranges_fit = true;

  void multiply(const WeightRows& w, std::int64_t first, std::int64_t last, std::int64_t m) {
    ++products;
    row_counts.insert(m);
    const std::int64_t rows = reinterpret_cast<std::intptr_t>(w.data);
    ranges_fit = ranges_fit && first >= 0 && first % 16 == 0 && (last - first) % 16 == 0 && first < last && last <= rows;
    const auto factor = factors.find({m, name_of(w.prefetch->of[0])});
    now_ns +=
        std::int64_t(double(last - first) * ns_per_row * weather(now_ns) * (factor == factors.end() ? 1.0 : factor->second));
  }
};

Machine* machine = nullptr;

void multiply_q8(const WeightRows& w, std::int64_t first, std::int64_t last, const kernels::QuantisedRows&, std::int64_t m,
                 float*, std::int64_t) {
  machine->multiply(w, first, last, m);
}
void multiply_f32(const WeightRows& w, std::int64_t first, std::int64_t last, const float*, std::int64_t, std::int64_t m,
                  float*, std::int64_t) {
  machine->multiply(w, first, last, m);
}
void multiply_bf16(const WeightRows&, std::int64_t, std::int64_t, const kernels::Bf16Rows&, std::int64_t, void*, float*,
                   std::int64_t) {}

KernelTable table() {
  KernelTable table{};
  for (const StorageFormat format : {q4_k, q6_k}) {
    table.matmul_q8[int(format)] = multiply_q8;
    table.prefetch[int(format)] = &kernels::kBlockPrefetch;
  }
  table.matmul_f32[int(bf16)] = multiply_f32;
  table.prefetch[int(bf16)] = &kernels::kFloatPrefetch;
  return table;
}

// `mega` megabytes of weights that nobody reads; where they are says how many rows there are.
WeightView weights(StorageFormat format, std::int64_t mega, bool interleaved = true) {
  WeightView view;
  view.format = format;
  view.rows = mega * 1'000'000 / kRowBytes / 16 * 16;
  view.cols = kCols;
  view.stored.data = reinterpret_cast<const std::uint8_t*>(std::intptr_t(view.rows));
  view.stored.row_bytes = kRowBytes;
  view.stored.cols = kCols;
  view.stored.interleaved = interleaved;
  return view;
}

struct Run {
  std::string text;
  std::int64_t spent_ns;
};

Run choose(Machine& on, std::initializer_list<WeightView> samples, const KernelTable& kernels = table(),
           std::int64_t budget_ns = 50'000'000) {
  machine = &on;
  test::ShuffledTasks tasks(2);
  StreamTiming timing;
  timing.budget_ns = budget_ns;
  timing.now_ns = [&] { return on.now_ns; };
  const std::int64_t begin = on.now_ns;
  const StreamChoice choice = choose_streams(kernels, {samples.begin(), samples.size()}, tasks, timing);
  return {choice.text(), on.now_ns - begin};
}

TEST_CASE("the fastest prefetch is chosen for few, several and many rows, each by its own time") {
  Machine on;
  on.factors = {{{1, "none"}, 0.70}, {{1, "4k/2"}, 0.72}, {{4, "8k"}, 0.80}, {{4, "none"}, 1.3}, {{16, "4k"}, 0.9}};
  CHECK(choose(on, {weights(q4_k, 200)}).text == "Q4_K=none,8k,4k");
  CHECK(on.row_counts == std::set<std::int64_t>{1, 4, 16});
  CHECK(on.ranges_fit);
}

TEST_CASE("every prefetch can win where it is a candidate") {
  for (const auto& row : kernels::kPrefetchRows) {
    CAPTURE(std::string(row.name));
    Machine on;
    for (const std::int64_t m : {1, 4, 16}) on.factors[{m, std::string(row.name)}] = 0.5;
    const std::string name(row.name);
    const std::string few = name == "tile" ? "4k" : name, more = name == "1k" || name == "4k/2" ? "" : name;
    CHECK(choose(on, {weights(q4_k, 200)}).text ==
          "Q4_K=" + few + "," + (more.empty() ? "4k" : more) + "," + (more.empty() ? "tile" : more));
  }
}

TEST_CASE("a gain below 3 % keeps the built-in prefetch") {
  Machine on;
  for (const std::int64_t m : {1, 4, 16}) on.factors[{m, "none"}] = 0.98;
  CHECK(choose(on, {weights(q4_k, 200)}).text == "Q4_K=4k,4k,tile");
}

TEST_CASE("spells in which the machine is slow do not change the choice") {
  Machine on;
  on.factors = {{{1, "none"}, 0.85}, {{4, "8k"}, 0.85}};
  on.weather = [](std::int64_t now) { return now / 20'000'000 % 2 ? 1.7 : 1.0; };
  CHECK(choose(on, {weights(q4_k, 200)}).text == "Q4_K=none,8k,tile");
}

TEST_CASE("samples that are interrupted now and then do not make a choice") {
  Machine on;
  on.weather = [](std::int64_t now) {
    std::uint64_t state = std::uint64_t(now);
    return Rng(state).next() % 23 == 0 ? 40.0 : 1.0;
  };
  CHECK(choose(on, {weights(q4_k, 200)}).text == "Q4_K=4k,4k,tile");
}

TEST_CASE("the budget holds, but for the sample that is under way") {
  for (const double ns_per_row : {1.0, 100.0, 5'000.0}) {
    CAPTURE(ns_per_row);
    for (const std::int64_t budget_ns : {1'000'000, 50'000'000}) {
      Machine on;
      on.ns_per_row = ns_per_row;
      on.factors[{1, "none"}] = 0.5;
      const Run run = choose(on, {weights(q4_k, 200), weights(q6_k, 100), weights(bf16, 100)}, table(), budget_ns);
      // The first sample of each of 3 + 3 + 2 contests takes 4 units, whatever the time is.
      const double first_samples = 8 * 4 * 224 * ns_per_row;
      CHECK(double(run.spent_ns) <= 1.2 * double(budget_ns) + first_samples);
    }
  }
}

TEST_CASE("with too little time for three rounds the built-in prefetch stays") {
  Machine on;
  on.ns_per_row = 20'000;
  on.factors[{1, "none"}] = 0.5;
  CHECK(choose(on, {weights(q4_k, 200)}).text == "Q4_K=4k,4k,tile");
}

TEST_CASE("nothing is timed below 100 MB of weights") {
  Machine on;
  on.factors[{1, "none"}] = 0.5;
  const Run run = choose(on, {weights(q4_k, 60), weights(q6_k, 39)});
  CHECK(run.text == "builtin");
  CHECK(on.products == 0);
  CHECK(choose(on, {weights(q4_k, 62), weights(q6_k, 39)}).text != "builtin");
}

TEST_CASE("formats with less than a twentieth of the weights, and rows as stored, are not timed") {
  Machine on;
  on.factors = {{{1, "none"}, 0.5}};
  CHECK(choose(on, {weights(q4_k, 200), weights(q6_k, 10)}).text == "Q4_K=none,4k,tile");
  CHECK(choose(on, {weights(q4_k, 200), weights(q6_k, 100, false)}).text == "Q4_K=none,4k,tile");
  CHECK(choose(on, {weights(f32, 200)}).text == "builtin");
}

TEST_CASE("kinds of rows that another back end multiplies are not timed") {
  Machine on;
  for (const std::int64_t m : {1, 4, 16}) on.factors[{m, "none"}] = 0.5;
  CHECK(choose(on, {weights(bf16, 200, false)}).text == "BF16=none,none,1k");
  KernelTable amx = table();
  amx.matmul_bf16[int(q4_k)] = multiply_bf16;
  CHECK(choose(on, {weights(q4_k, 200)}, amx).text == "Q4_K=none,none,tile");
}

}  // namespace
}  // namespace fathom
