// Which table an instruction set gets.
#include "kernels/select.hpp"

#include <doctest/doctest.h>

#include <string>

#include "unit/kernels/tables.hpp"

namespace fathom::kernels {
namespace {

TEST_CASE("the lowest level is scalar, and levels below or above the known ones are safe") {
  CHECK(std::string(select_table(0).name) == "scalar");
  CHECK(std::string(select_table(-1).name) == "scalar");
  CHECK(&select_table(99) == &select_table(5));
}

TEST_CASE("a level gets the best table at or below it") {
  const KernelTable* const tables[] = {scalar_table(),      avx2_table(),        avx512_table(),
                                       avx512_vnni_table(), avx512_bf16_table(), amx_int8_table()};
  const KernelTable* best = nullptr;
  for (int level = 0; level < 6; ++level) {
    if (tables[level]) best = tables[level];
    CHECK(std::string(select_table(level).name) == best->name);
  }
}

TEST_CASE("every table has every function the contract promises, and no other") {
  for (const KernelTable* table : test::runnable_tables()) {
    CAPTURE(std::string(table->name));
    for (int format = 0; format < kFormats; ++format) {
      const KernelTable& scalar = *scalar_table();
      CAPTURE(format);
      CHECK(bool(table->matmul_f32[format]) == bool(scalar.matmul_f32[format]));
      CHECK(bool(table->matmul_q8[format]) == bool(scalar.matmul_q8[format]));
      CHECK(bool(table->accumulate_rows[format]) == bool(scalar.accumulate_rows[format]));
      CHECK(bool(table->decode_row[format]) == bool(scalar.decode_row[format]));
    }
    CHECK(bool(table->quantise_row));
    CHECK(bool(table->f32_to_f16));
    CHECK(bool(table->f32_to_bf16));
    CHECK(bool(table->rms_norm));
    CHECK(bool(table->add));
    CHECK(bool(table->axpy));
    CHECK(bool(table->scale));
    CHECK(bool(table->silu_mul));
    CHECK(bool(table->silu_mul_clamped));
    CHECK(bool(table->swiglu_oai));
    CHECK(bool(table->max));
    CHECK(bool(table->exp_sum));
    CHECK(bool(table->rope_interleaved));
    CHECK(bool(table->rope_half));
  }
}

}  // namespace
}  // namespace fathom::kernels
