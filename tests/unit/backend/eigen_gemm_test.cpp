#include "unit/backend/gemm_checks.hpp"

namespace fathom {
namespace {

using test::GemmCase;
using test::GemmRun;
using test::GemmSample;

TEST_CASE("the reference multiplies every format right, in every column range") {
  const auto backend = make_eigen_backend(*kernels::scalar_table());
  for (const std::int64_t cols : {64, 513}) {
    for (const GemmCase& c : test::gemm_cases(19, cols)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      const GemmSample sample(c, 17, 11);
      REQUIRE(backend->accepts(sample.weights()));
      const GemmRun run(*backend, sample);
      test::check_products(run, {1, 2, 3, 8, 17});
      test::check_column_cuts(run, 3);
    }
  }
}

TEST_CASE("the reference reads activations whose rows lie apart") {
  const auto backend = make_eigen_backend(*kernels::scalar_table());
  const GemmSample sample({StorageFormat::bf16, 9, 33}, 5, 12, 7);
  test::check_products(GemmRun(*backend, sample), {1, 5});
}

TEST_CASE("the reference refuses weights it cannot read") {
  test::check_refusals(*make_eigen_backend(*kernels::scalar_table()));
}

TEST_CASE("the reference gives threads that share a matrix the same bits") {
  const auto backend = make_eigen_backend(*kernels::scalar_table());
  const GemmSample sample({StorageFormat::q4_k, 40, 512}, 8, 13);
  test::check_threads(GemmRun(*backend, sample), 8);
}

}  // namespace
}  // namespace fathom
