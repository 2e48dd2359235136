// Eight rows of weights side by side, so that a vector load gives one field of all of them.
//
// A block is a sequence of fields of 4 bytes, and one of 2 where its size asks for that. A group of 8 blocks is the same sequence with
// each field eight times, row after row; but in Q2_K, Q3_K and Q6_K, whose scales or upper bits lie apart from what they belong to, in
// the order in which products use them, as processors fetch ahead only what is read in ascending order. A group takes the bytes that its
// rows took.
#pragma once

#include <stdint.h>

#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

// Functions for KernelTable::interleave_rows. MXFP4 has no such form: its blocks are of odd size.
void interleave_q4_0(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q4_1(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q5_0(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q5_1(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q8_0(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q2_k(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q3_k(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q4_k(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q5_k(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_q6_k(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_iq4_nl(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);
void interleave_iq4_xs(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);

// Functions for KernelTable::take_row, the other way for one row.
void take_row_q4_0(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q4_1(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q5_0(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q5_1(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q8_0(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q2_k(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q3_k(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q4_k(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q5_k(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_q6_k(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_iq4_nl(const WeightRows& w, int64_t row, uint8_t* out);
void take_row_iq4_xs(const WeightRows& w, int64_t row, uint8_t* out);

}  // namespace fathom::kernels
