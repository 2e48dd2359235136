#include "unit/backend/gemm_checks.hpp"

namespace fathom {
namespace {

using test::GemmCase;
using test::GemmRun;
using test::GemmSample;

TEST_CASE("native products of every format and table are right, in every column range") {
  for (const GemmCase& c : test::gemm_cases(37, 545)) {
    const GemmSample sample(c, 130, 21);
    for (const kernels::KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(c.format).name));
      const auto backend = make_native_backend(*table);
      REQUIRE(backend->accepts(sample.weights()));
      test::check_products(GemmRun(*backend, sample), {1, 2, 3, 8, 17, 64, 130});
    }
  }
}

TEST_CASE("native products of the narrowest matrices are right") {
  for (const GemmCase& c : test::gemm_cases(3, 32)) {
    const GemmSample sample(c, 8, 22);
    for (const kernels::KernelTable* table : test::runnable_tables()) {
      CAPTURE(std::string(table->name));
      CAPTURE(std::string(storage_layout(c.format).name));
      const auto backend = make_native_backend(*table);
      test::check_products(GemmRun(*backend, sample), {1, 8});
    }
  }
}

// 130 rows of 2304 columns pass the activation panel in every format, and 70 rows of F32 weights the weight block: the walk has
// several steps in both directions.
TEST_CASE("a native product has the same bits however its rows and columns are cut") {
  for (const GemmCase& c : test::gemm_cases(70, 2304)) {
    const GemmSample sample(c, 130, 23);
    const auto backend = make_native_backend(*test::runnable_tables().back());
    CAPTURE(std::string(storage_layout(c.format).name));
    const GemmRun run(*backend, sample);
    test::check_products(run, {130});
    test::check_column_cuts(run, 130);
    test::check_row_cuts(run, 130);
  }
}

TEST_CASE("native products read rounded activations for block-quantised formats, and F32 for MXFP4") {
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    const auto backend = make_native_backend(*table);
    for (const GemmCase& c : test::gemm_cases(1, 256)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      const bool blocks = storage_layout(c.format).block_values >= 32;
      const bool quantised = blocks && c.format != StorageFormat::mxfp4;
      CHECK(backend->reads(c.format) == (quantised ? ActivationForm::quantised : ActivationForm::f32));
    }
  }
}

TEST_CASE("native products read activations whose rows lie apart") {
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    const auto backend = make_native_backend(*table);
    const GemmSample sample({StorageFormat::f16, 9, 100}, 17, 24, 3);
    test::check_products(GemmRun(*backend, sample), {1, 17});
  }
}

TEST_CASE("the native back end refuses weights it cannot read") {
  for (const kernels::KernelTable* table : test::runnable_tables()) test::check_refusals(*make_native_backend(*table));
}

TEST_CASE("threads that share a matrix get the same bits from native products") {
  const auto backend = make_native_backend(*test::runnable_tables().back());
  for (const GemmCase& c : test::gemm_cases(64, 512)) {
    const GemmSample sample(c, 17, 25);
    test::check_threads(GemmRun(*backend, sample), 17);
  }
}

}  // namespace
}  // namespace fathom
