// Which back ends a matrix gets.
#include "backend/select.hpp"

#include <doctest/doctest.h>

#include <string>

#include "platform/cpu_features.hpp"
#include "support/check_error.hpp"
#include "unit/backend/gemm_checks.hpp"

namespace fathom {
namespace {

using enum StorageFormat;

WeightView matrix(StorageFormat format, std::int64_t rows, std::int64_t cols) {
  const StorageLayout& layout = storage_layout(format);
  WeightView view;
  view.format = format;
  view.rows = rows;
  view.cols = cols;
  view.stored.cols = cols;
  if (layout.block_values) view.stored.row_bytes = cols / layout.block_values * layout.block_bytes;
  return view;
}

// Calls check(engine) for every level that this processor has.
template <typename Check>
void with_engines(bool invariant, Check&& check) {
  for (int level = 0; level <= int(detect_isa()); ++level) {
    const Engine engine(level, invariant);
    CAPTURE(std::string(engine.kernels.name));
    check(engine);
  }
}

TEST_CASE("every format is multiplied, few rows by the native back end") {
  with_engines(false, [](const Engine& engine) {
    for (const test::GemmCase& c : test::gemm_cases(48, 512)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      const BackendChoice choice = engine.choose(matrix(c.format, c.rows, c.cols));
      CHECK(choice.few == engine.native.get());
      CHECK((choice.border > 0) == (choice.many != nullptr));
    }
  });
}

TEST_CASE("many rows go to the first back end that accepts the matrix, from its own border on") {
  with_engines(false, [](const Engine& engine) {
    for (const test::GemmCase& c : test::gemm_cases(48, 512)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      const WeightView weights = matrix(c.format, c.rows, c.cols);
      const BackendChoice choice = engine.choose(weights);
      if (engine.bf16 && engine.bf16->accepts(weights)) {
        CHECK(choice.many == engine.bf16.get());
        CHECK(choice.border == bf16_min_rows(c.format));
      } else if (engine.onednn && engine.onednn->accepts(weights)) {
        CHECK(choice.many == engine.onednn.get());
        CHECK(choice.border == onednn_min_rows(c.format));
      } else {
        CHECK(!choice.many);
      }
    }
  });
}

TEST_CASE("a matrix for few rows only, and an invariant engine, have one back end for every number of rows") {
  with_engines(false, [](const Engine& engine) {
    for (const StorageFormat format : {f32, bf16, q4_k}) {
      CHECK(!engine.choose(matrix(format, 48, 512), RowCounts::few).many);
      CHECK(engine.choose(matrix(format, 48, 512), RowCounts::few).few == engine.native.get());
    }
  });
  with_engines(true, [](const Engine& engine) {
    for (const StorageFormat format : {f32, bf16, q4_k}) CHECK(!engine.choose(matrix(format, 48, 512)).many);
  });
}

TEST_CASE("rows are interleaved where products gain by it: whole sixteens of block formats") {
  with_engines(false, [](const Engine& engine) {
    const auto expected = engine.kernels.interleave_rows[int(q4_k)];
    CHECK((engine.choose(matrix(q4_k, 48, 512)).interleave == expected));
    CHECK((engine.choose(matrix(q4_k, 48, 512), RowCounts::few).interleave == expected));
    CHECK((engine.choose(matrix(q4_k, 40, 512)).interleave == nullptr));
    CHECK((engine.choose(matrix(bf16, 48, 512)).interleave == nullptr));
    CHECK((engine.choose(matrix(mxfp4, 48, 512)).interleave == nullptr));
  });
}

TEST_CASE("a matrix that nobody multiplies by has no back end") {
  with_engines(false, [](const Engine& engine) {
    for (const WeightView& weights :
         {matrix(i64, 16, 256), matrix(other, 16, 256), matrix(q4_k, 16, 128), matrix(f32, 0, 256)}) {
      const BackendChoice choice = engine.choose(weights);
      CHECK(!choice.few);
      CHECK(!choice.many);
      CHECK((choice.interleave == nullptr));
    }
  });
}

TEST_CASE("a model's engine has the runtime's back ends and a choice of streams of its own") {
  const Engine runtime(int(detect_isa()), false);
  const auto model = runtime.for_model();
  CHECK(model->native != runtime.native);
  CHECK(model->bf16 == runtime.bf16);
  CHECK(model->onednn == runtime.onednn);
  if (!model->streams.of(q4_k)) return;  // scalar code prefetches nothing
  const auto packed = model->native->pack(matrix(q4_k, 16, 256), 8, heap_allocator());
  CHECK(packed->view().stored.prefetch == model->streams.of(q4_k));
}

TEST_CASE("a choice of streams that the host gives is kept, and a wrong one is refused") {
  const Engine runtime(int(detect_isa()), false, "Q4_K=none,8k,tile");
  const auto model = runtime.for_model();
  CHECK(model->streams_fixed);
  if (model->streams.of(q4_k)) CHECK(model->streams.text() == "Q4_K=none,8k,tile");
  CHECK(Engine(int(detect_isa()), false, "builtin").for_model()->streams_fixed);
  CHECK(!Engine(int(detect_isa()), false).for_model()->streams_fixed);
  test::check_error(Status::invalid_argument, {"streams", "sometimes"}, [] { Engine(0, false, "Q4_K=sometimes,8k,tile"); });
}

}  // namespace
}  // namespace fathom
