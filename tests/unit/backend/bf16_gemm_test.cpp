#include "unit/backend/gemm_checks.hpp"

namespace fathom {
namespace {

using test::GemmCase;
using test::GemmRun;
using test::GemmSample;

// The tables that have such products, on a processor that can run them.
template <typename Check>
void with_backends(Check&& check) {
  for (const kernels::KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    const auto backend = make_bf16_backend(*table);
    CHECK(bool(backend) == (std::string(table->name) == "amx_int8"));
    if (backend) check(*backend);
  }
}

TEST_CASE("products in BF16 are right for the formats they take, in every column range") {
  with_backends([](const GemmBackend& backend) {
    for (const GemmCase& c : test::gemm_cases(37, 544)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      const GemmSample sample(c, 70, 41);
      if (!backend.accepts(sample.weights())) continue;
      test::check_products(GemmRun(backend, sample), {1, 8, 16, 17, 70});
    }
  });
}

TEST_CASE("products in BF16 take all block formats, BF16, FP8 and MXFP4") {
  with_backends([](const GemmBackend& backend) {
    for (const GemmCase& c : test::gemm_cases(16, 512)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      using enum StorageFormat;
      const bool refused = c.format == f32 || c.format == f16 || c.format == f4_e2m1;
      CHECK(backend.accepts(GemmSample(c, 1, 42).weights()) == !refused);
    }
  });
}

TEST_CASE("products in BF16 refuse columns that are no blocks of 32, and factors of few columns") {
  with_backends([](const GemmBackend& backend) {
    test::check_refusals(backend);
    CHECK_FALSE(backend.accepts({StorageFormat::bf16, 16, 48, {}}));
    WeightView weights{StorageFormat::f8_e4m3, 16, 256, {}};
    CHECK(backend.accepts(weights));
    const float factor = 1;
    weights.stored.scales = &factor;
    weights.stored.scale_cols = 64;
    CHECK_FALSE(backend.accepts(weights));
    weights.stored.scale_cols = 128;
    CHECK(backend.accepts(weights));
  });
}

TEST_CASE("a product in BF16 has the same bits however its rows and columns are cut, and on threads that share a matrix") {
  with_backends([](const GemmBackend& backend) {
    for (const GemmCase& c : test::gemm_cases(70, 768)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      const GemmSample sample(c, 80, 43);
      if (!backend.accepts(sample.weights())) continue;
      const GemmRun run(backend, sample);
      test::check_column_cuts(run, 80);
      test::check_row_cuts(run, 80);
      test::check_threads(run, 33);
    }
  });
}

}  // namespace
}  // namespace fathom
