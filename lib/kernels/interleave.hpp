// Sixteen rows of weights side by side, so that a vector load gives one field of all of them.
//
// A block is a sequence of fields of 4 bytes, and one of 2 where its size asks for that. Sixteen rows of 256 columns, or of
// what is left at the end, are a group: its fields in the order in which products use them, each sixteen times, row after row.
// So of eight blocks of 32 the scales come first; and of Q2_K, Q3_K and Q6_K scales and upper bits, which are stored apart,
// with what they belong to. Processors fetch ahead only what is read in ascending order. Sixteen rows take the bytes that they
// took.
#pragma once

#include <stdint.h>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

// Functions for KernelTable::interleave_rows, and for KernelTable::take_row, the other way for one row. MXFP4 has no such form:
// its blocks are of odd size.
#define FATHOM_DECLARE(format, Name, ...)                                                           \
  void interleave_##format(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out); \
  void take_row_##format(const WeightRows& w, int64_t row, uint8_t* out);
FATHOM_INTERLEAVED_FORMATS(FATHOM_DECLARE)
#undef FATHOM_DECLARE

}  // namespace fathom::kernels
