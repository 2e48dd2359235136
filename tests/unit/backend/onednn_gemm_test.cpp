#include <cstdlib>
#include <new>

#include "platform/cpu_features.hpp"
#include "support/sanitizers.hpp"
#include "unit/backend/gemm_checks.hpp"

#if defined(__linux__)
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#ifdef FATHOM_HAVE_ONEDNN

namespace {
thread_local bool no_memory = false;
}  // namespace

// Lets a test run out of memory at a moment of its choosing.
void* operator new(std::size_t bytes) {
  void* memory = no_memory ? nullptr : std::malloc(bytes ? bytes : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return no_memory ? nullptr : std::malloc(bytes ? bytes : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace fathom {
namespace {

using test::GemmCase;
using test::GemmRun;
using test::GemmSample;

// The best table of the build, under the name of all that this processor can do: a build may lack the file of the highest
// level.
const kernels::KernelTable& unlimited_table() {
  static const kernels::KernelTable table = [] {
    kernels::KernelTable best = *test::runnable_tables().back();
    best.name = isa_name(detect_isa()).data();
    return best;
  }();
  return table;
}

// Null on processors before AVX2; the tests below then have nothing to test.
std::unique_ptr<GemmBackend> make_backend() { return make_onednn_backend(unlimited_table()); }

std::vector<GemmCase> floating_cases(std::int64_t rows, std::int64_t cols) {
  std::vector<GemmCase> cases = test::gemm_cases(rows, cols);
  std::erase_if(
      cases, [](const GemmCase& c) { return storage_layout(c.format).block_values >= 32 && c.format != StorageFormat::mxfp4; });
  return cases;
}

TEST_CASE("there is oneDNN for a processor's best table, and none for one that was chosen to limit it") {
  CHECK(bool(make_backend()) == (detect_isa() >= Isa::avx2));
  kernels::KernelTable table = unlimited_table();
  table.name = "scalar";
  CHECK(!make_onednn_backend(table));
  table.name = "avx2";
  CHECK(bool(make_onednn_backend(table)) == (detect_isa() == Isa::avx2));
}

TEST_CASE("oneDNN products of every floating format are right, in every column range") {
  const auto backend = make_backend();
  if (!backend) return;
  // One strip of columns; several strips and a tail; a panel's depth; more than it, with and without tails.
  for (const std::int64_t cols : {32, 353, 1024, 1155, 2176}) {
    for (const GemmCase& c : floating_cases(70, cols)) {
      CAPTURE(std::string(storage_layout(c.format).name));
      CAPTURE(cols);
      const GemmSample sample(c, 130, 31);
      REQUIRE(backend->accepts(sample.weights()));
      test::check_products(GemmRun(*backend, sample), {1, 2, 3, 8, 17, 64, 130});
    }
  }
}

TEST_CASE("oneDNN products of odd column counts are right") {
  const auto backend = make_backend();
  if (!backend) return;
  for (const StorageFormat format : {StorageFormat::f32, StorageFormat::bf16, StorageFormat::f8_e4m3}) {
    for (const std::int64_t cols : {1, 15, 17, 127, 129, 1023, 1025}) {
      CAPTURE(cols);
      const GemmSample sample({format, 5, cols}, 9, 32);
      test::check_products(GemmRun(*backend, sample), {1, 7, 9});
    }
  }
}

TEST_CASE("a oneDNN product has the same bits however its rows and columns are cut") {
  const auto backend = make_backend();
  if (!backend) return;
  for (const GemmCase& c : floating_cases(130, 1184)) {
    CAPTURE(std::string(storage_layout(c.format).name));
    const GemmSample sample(c, 65, 33);
    const GemmRun run(*backend, sample);
    test::check_column_cuts(run, 65);
    test::check_row_cuts(run, 65);
  }
}

TEST_CASE("threads that share a matrix get the same bits from oneDNN") {
  const auto backend = make_backend();
  if (!backend) return;
  for (const GemmCase& c : floating_cases(100, 1100)) {
    const GemmSample sample(c, 33, 34);
    test::check_threads(GemmRun(*backend, sample), 33);
  }
}

TEST_CASE("matrices packed by several threads at once share the generated code") {
  const auto backend = make_backend();
  if (!backend) return;
  const GemmSample sample({StorageFormat::bf16, 70, 1100}, 9, 37);
  std::vector<std::unique_ptr<PackedMatrix>> matrices(8);
  std::vector<std::thread> threads;
  for (auto& matrix : matrices) {
    threads.emplace_back([&] { matrix = backend->pack(sample.weights(), 9, heap_allocator()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& matrix : matrices) {
    GemmRun run(*backend, sample);
    run.matrix = std::move(matrix);
    test::check_products(run, {9});
  }
}

TEST_CASE("activations whose rows lie apart are multiplied right without a kernel for their distance") {
  const auto backend = make_backend();
  if (!backend) return;
  const GemmSample sample({StorageFormat::bf16, 70, 1100}, 17, 35, 9);
  test::check_products(GemmRun(*backend, sample), {1, 17});
}

TEST_CASE("running out of memory inside oneDNN costs time, not the process or the result") {
  const auto backend = make_backend();
  if (!backend) return;
  const GemmSample sample({StorageFormat::f16, 70, 1100}, 17, 36);
  const GemmRun run(*backend, sample);
  const test::GemmScratch scratch(backend->scratch_bytes(*run.matrix, 17));
  const test::GemmOutput y(17, 70);
  no_memory = true;
  backend->multiply(sample.activations(0, 17), *run.matrix, y.view(), 0, 70, scratch.span());
  no_memory = false;
  CHECK(test::all_close(run, y, 0, 70));
}

TEST_CASE("oneDNN leaves block-quantised and unreadable weights to others") {
  const auto backend = make_backend();
  if (!backend) return;
  test::check_refusals(*backend);
  for (const GemmCase& c : test::gemm_cases(8, 256)) {
    const bool floating = storage_layout(c.format).block_values < 32 || c.format == StorageFormat::mxfp4;
    CAPTURE(std::string(storage_layout(c.format).name));
    CHECK(backend->accepts({c.format, c.rows, c.cols, {}}) == floating);
  }
}

#if defined(__linux__) && !defined(FATHOM_ADDRESS_SANITIZER) && !defined(FATHOM_THREAD_SANITIZER)
TEST_CASE("where the system forbids generated code there is no oneDNN, and no crash") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    constexpr int kSetMemoryDenyWriteExecute = 65, kRefuseExecGain = 1;  // Linux 6.3; older headers lack the names
    if (prctl(kSetMemoryDenyWriteExecute, kRefuseExecGain, 0, 0, 0) != 0) _exit(0);
    _exit(make_backend() ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

}  // namespace
}  // namespace fathom

#else

TEST_CASE("a build without oneDNN has no such back end") {
  CHECK(!fathom::make_onednn_backend(*fathom::kernels::scalar_table()));
}

#endif
