// The arithmetic the rest of fathom calls, one table of functions for each instruction set.
//
// This header is all of fathom that an instruction-set file may include besides <stdint.h> and intrinsics: such files are
// compiled with flags of their own, and any inline function they shared with others could end up being the copy everybody runs.
//
// Rules for every function of the table:
//  - no allocation, no exceptions, no state; any thread;
//  - unaligned pointers are fine; nothing outside the given ranges is read or written;
//  - an output element is computed by one fixed order of operations that depends on its own row of weights, its own row of
//    activations and the column count only: not on how many rows or columns a call covers. That is what makes results
//    independent of threads, of prompt chunks and of batch mates.
#pragma once

#include <stdint.h>

#include "base/storage_format_list.hpp"

namespace fathom::kernels {

// How a product prefetches the weights that it reads next: with each line of 64 bytes that it reads, one line so many bytes
// further on. This changes the time of a product, never its bits.
struct Prefetch {
  int32_t even, odd;  // the distance of even and of odd lines
  int32_t next_tile;  // 1: the next tile of rows is prefetched while this tile is multiplied, instead
};
// The distance of a line that has just been read, so that nothing is fetched. A kernel then needs no branch, which costs more
// than the instruction (NOTES.md).
constexpr int32_t kPrefetchNothing = -256;

// The prefetch of one format by the number of rows of activations: up to kPrefetchFew, up to kPrefetchSeveral, more.
constexpr int64_t kPrefetchFew = 2, kPrefetchSeveral = 11;
constexpr int kPrefetchKinds = 3;
struct StreamPrefetch {
  Prefetch of[kPrefetchKinds];
};

// What products do without a choice: of block formats whose rows are interleaved, into the second-level cache, and of floating
// formats by AVX-512, into the first-level cache.
constexpr Prefetch kPrefetchStream{4096, 4096, 0}, kPrefetchNextTile{kPrefetchNothing, kPrefetchNothing, 1};
constexpr Prefetch kPrefetchFloats{1024, 1024, 0};
constexpr StreamPrefetch kBlockPrefetch{{kPrefetchStream, kPrefetchStream, kPrefetchNextTile}};
constexpr StreamPrefetch kFloatPrefetch{{kPrefetchFloats, kPrefetchFloats, kPrefetchFloats}};

// Weights as stored, row-major [rows = out, cols = in].
struct WeightRows {
  const uint8_t* data = nullptr;
  int64_t row_bytes = 0;  // distance between rows in bytes
  int64_t cols = 0;       // values in a row
  // Factors kept beside the weights (f8_e4m3, f4_e2m1), else null. The factor of (row, col) is
  // scales[(row / scale_rows) * scale_stride + col / scale_cols]; F32, or E8M0 bytes when scale_is_e8m0.
  const void* scales = nullptr;
  int64_t scale_stride = 0;
  int32_t scale_rows = 1;
  int32_t scale_cols = 1;
  int32_t scale_is_e8m0 = 0;
  // 1: as interleave_rows leaves them. Row numbers in calls are then multiples of kInterleavedRows.
  int32_t interleaved = 0;
  // Null: what KernelTable::prefetch has for the format. Not owned.
  const StreamPrefetch* prefetch = nullptr;
};

// Activations rounded to 8 bits: value = values * scale of its block of 32. cols is a multiple of 32.
struct QuantisedRows {
  const int8_t* values = nullptr;  // [rows, cols], in [-127, 127]
  const float* scales = nullptr;   // [rows, cols / 32]
  const int16_t* sums = nullptr;   // [rows, cols / 16], sums of 16 consecutive values
  int64_t cols = 0;
};

// y[i * y_stride + n] = sum over k of w[n][k] * x[i * x_stride + k], for n in [first_row, last_row), i in [0, m).
// Accumulates in F32.
using MatmulF32 = void (*)(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride,
                           int64_t m, float* y, int64_t y_stride);

// The same with 8-bit activations: integer dot products inside a block, F32 across blocks.
using MatmulQ8 = void (*)(const WeightRows& w, int64_t first_row, int64_t last_row, const QuantisedRows& x, int64_t m, float* y,
                          int64_t y_stride);

// Activations in BF16: terms [rows, cols], each the nearest to what those before it leave over, so that three make an F32. Rows
// up to the next multiple of kBf16Rows are read and mean nothing.
struct Bf16Rows {
  const uint16_t* values = nullptr;
  int64_t stride = 0;       // from row to row, a multiple of 32
  int64_t term_stride = 0;  // from term to term
};
constexpr int64_t kBf16Rows = 16;
constexpr int kBf16Terms = 3;

// The same with activations in BF16, accumulated in F32. Block formats round weights to BF16 too and take the first term alone;
// values of floating formats are exact in BF16, their factors multiply sums, and all terms are taken. scratch: kBf16Scratch
// bytes of this call alone, at a multiple of 64. w.cols is a multiple of 32, and where there are factors scale_cols of
// kBf16Segment.
constexpr int64_t kBf16Scratch = 96 << 10, kBf16Segment = 128;
using MatmulBf16 = void (*)(const WeightRows& w, int64_t first_row, int64_t last_row, const Bf16Rows& x, int64_t m,
                            void* scratch, float* y, int64_t y_stride);

// The other way through the same matrix: y[i * y_stride + k] += sum over n in [first_row, last_row) of
// x[i * x_stride + (n - first_row)] * w[n][k], for k in [0, w.cols), rows in ascending order.
using AccumulateRows = void (*)(const WeightRows& w, int64_t first_row, int64_t last_row, const float* x, int64_t x_stride,
                                int64_t m, float* y, int64_t y_stride);

// out[0 .. count) = row `row` of w, columns [first_col, first_col + count); both are multiples of the format's block.
using DecodeRow = void (*)(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out);

// Rows and columns whose fields lie side by side in interleaved matrices.
constexpr int64_t kInterleavedRows = 16;
constexpr int64_t kInterleavedColumns = 256;

// Rows [first_row, last_row) of w, multiples of kInterleavedRows in number and position, in the order that interleave.hpp
// tells. out is where first_row begins; it takes as many bytes as were there.
using InterleaveRows = void (*)(const WeightRows& w, int64_t first_row, int64_t last_row, uint8_t* out);

// out = row `row` of interleaved w, as it was stored.
using TakeRow = void (*)(const WeightRows& w, int64_t row, uint8_t* out);

// Attention to latents in fixed point. Of up to 64 rows of F16, the columns [0, shared) are values as well as keys, the others
// only keys; a row is rounded to 12 bits with one scale for each part, queries likewise, weights to 15 bits: value = integer *
// scale. Sums are exact in 32 bits, because 512 * 2047^2 and 64 * 16383 * 2047 are below 2^31. What is not finite gets the
// scale NaN and integers of zero.
constexpr int64_t kFixedRows = 64;
constexpr int64_t kFixedColumns = 512;  // most of a part; each is a multiple of 16
constexpr int32_t kFixedLimit = 2047;   // of latents and queries
constexpr int32_t kFixedWeightLimit = 16383;

struct FixedPoint {
  // out[k] = x[k] * factors[k] / scale to the nearest integer, ties to even; returns scale = max|x * factors| / limit, or 0
  // where the largest is below 2^-100. factors may be null: all ones. n is a multiple of 16.
  float (*fix_row)(const float* x, const float* factors, int64_t n, int32_t limit, int16_t* out);
  // y[i][n] = query i . row n, for i in [0, m) and n in [0, rows), and 0 up to n = 64: queries [m, cols], query_scales [m, 2],
  // y [m, 64]. scales [64]: of the rows' shared parts, 0 behind the rows.
  void (*products)(const WeightRows& w, int64_t rows, int64_t shared, const int16_t* queries, const float* query_scales,
                   int64_t m, float* scales, float* y);
  // out[i * out_stride + k] += weight_scales[i] * sum over n of weights[i][n] * w[n][k] / scales[n], for k in [0, shared):
  // weights [m, 64] have the rows' scales in them. next: null, or the 64 rows that come after these, which may be fetched
  // meanwhile.
  void (*sums)(const WeightRows& w, int64_t rows, int64_t shared, const float* scales, const int16_t* weights,
               const float* weight_scales, int64_t m, const uint8_t* next, float* out, int64_t out_stride);
};

// Indices of the per-format arrays: the values of fathom::StorageFormat, whose enumeration has the same list.
#define FATHOM_ENTER(id, Name, ...) k##Name,
enum Format : int { FATHOM_ALL_FORMATS(FATHOM_ENTER) kFormats };
#undef FATHOM_ENTER

// Weights of these take activations in F32. MXFP4 has both products; models are released in it, and their reference outputs do
// not round activations to 8 bits. For the block-quantised formats that rounding is small beside the weights' own.
#define FATHOM_OR_IS(id, Name, ...) || format == k##Name
constexpr bool is_floating(int format) { return false FATHOM_F32_PRODUCT_FORMATS(FATHOM_OR_IS); }
#undef FATHOM_OR_IS

// Attention with everything rounded to BF16 and sums in F32. What is read several times is put in order first, in memory of the
// caller's that begins at a multiple of 64 bytes: queries for all pages, and up to 64 rows of keys or values, a page, for all
// queries.
constexpr int64_t kBf16PageRows = 64, kBf16LineValues = 32;
constexpr int64_t bf16_lines(int64_t cols) { return (cols + kBf16LineValues - 1) / kBf16LineValues; }
// Rows are an odd number of lines apart: a power of two would bring them together in few sets of the cache.
constexpr int64_t bf16_page_stride(int64_t cols) { return (bf16_lines(cols) | 1) * kBf16LineValues; }
constexpr int64_t bf16_page_values(int64_t cols) { return kBf16PageRows * bf16_page_stride(cols); }
constexpr int64_t bf16_query_values(int64_t m, int64_t cols) { return (m + 15) / 16 * 16 * bf16_lines(cols) * kBf16LineValues; }

struct Bf16Attention {
  // Rows [0, rows) of w, and zeros for all others and up to whole lines; bf16_page_values(w.cols). For F32, F16, BF16 and Q8_0.
  void (*round_rows[kFormats])(const WeightRows& w, int64_t rows, uint16_t* page);
  // bf16_query_values(m, cols)
  void (*arrange_queries)(const float* x, int64_t x_stride, int64_t m, int64_t cols, uint16_t* queries);
  // y[i][n] = query i . row n, for i in [0, m) and all 64 rows of the page: y [m, 64].
  void (*products)(const uint16_t* page, int64_t cols, const uint16_t* queries, int64_t m, float* y);
  // y[i * y_stride + k] += sum over n of weights[i][n] * row n [k], for k in [0, cols), of a page of page_cols columns: weights
  // [m, 64].
  void (*sums)(const uint16_t* page, int64_t page_cols, int64_t cols, const float* weights, int64_t m, float* y,
               int64_t y_stride);
};

struct KernelTable {
  const char* name;  // "scalar", "avx2", "avx512", ...

  // Null where a format has no such product. Floating formats have matmul_f32, and Q8_0 has, for caches; the block-quantised
  // formats (Q*, IQ4_*, MXFP4) have matmul_q8. Every format of `Format` has decode_row.
  MatmulF32 matmul_f32[kFormats];
  MatmulQ8 matmul_q8[kFormats];
  MatmulBf16 matmul_bf16[kFormats];          // where many rows gain by it; null in most tables
  AccumulateRows accumulate_rows[kFormats];  // F32, F16, BF16, Q8_0 only: what caches have
  DecodeRow decode_row[kFormats];            // of rows as stored
  // Null where rows as stored serve best. Where it is there, matmul_q8 takes both, with the same bits.
  InterleaveRows interleave_rows[kFormats];
  TakeRow take_row[kFormats];  // there where interleave_rows is
  // The built-in prefetch of the format's products; null where they have none that can be chosen. Block formats obey the choice
  // where rows are interleaved.
  const StreamPrefetch* prefetch[kFormats];

  Bf16Attention attention_bf16;  // null in most tables

  // All null where attention to latents computes in F32.
  FixedPoint fixed_point;

  // Rounds one row of n values (n a multiple of 32) to the form of QuantisedRows: scale = max|x| / 127 of each block,
  // value = x / scale to the nearest integer, ties to even; a block of zeros has scale 0.
  void (*quantise_row)(const float* x, int64_t n, int8_t* values, float* scales, int16_t* sums);

  // Narrowing stores for the cache, to nearest even.
  void (*f32_to_f16)(const float* x, int64_t n, uint16_t* out);
  void (*f32_to_bf16)(const float* x, int64_t n, uint16_t* out);
  // The terms of x, as Bf16Rows has them; null where matmul_bf16 is.
  void (*split_bf16)(const float* x, int64_t n, uint16_t* out, int64_t term_stride);

  // y = x / sqrt(mean(x^2) + eps) * weight; weight may be null (all ones); y may be x.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* y);

  // x += y
  void (*add)(float* x, const float* y, int64_t n);
  // y += a * x
  void (*axpy)(float a, const float* x, float* y, int64_t n);
  // x *= a
  void (*scale)(float a, float* x, int64_t n);

  // Gated activations, y may be gate or up.
  // silu: y = silu(gate) * up.
  void (*silu_mul)(const float* gate, const float* up, float* y, int64_t n);
  // DeepSeek-V4: gate clamped above, up clamped on both sides at `limit` first.
  void (*silu_mul_clamped)(const float* gate, const float* up, float limit, float* y, int64_t n);
  // gpt-oss: clamps as above, then gate * sigmoid(1.702 * gate) * (up + 1).
  void (*swiglu_oai)(const float* gate, const float* up, float limit, float* y, int64_t n);

  // Largest of n values (n >= 1); NaN loses.
  float (*max)(const float* x, int64_t n);
  // x[i] = exp(x[i] - shift), returns their sum, added in a fixed order. Arguments below -87 give 0.
  float (*exp_sum)(float* x, float shift, int64_t n);

  // Rotates pairs in place: cos and sin hold one value a pair (n_pairs of them).
  // interleaved: pair i is (x[2i], x[2i+1]); half: pair i is (x[i], x[i + n_pairs]).
  void (*rope_interleaved)(float* x, const float* cos, const float* sin, int64_t n_pairs);
  void (*rope_half)(float* x, const float* cos, const float* sin, int64_t n_pairs);
};

// void(...) from void (*)(...), to declare what a table is made of.
template <typename Pointer>
struct Pointee;
template <typename T>
struct Pointee<T*> {
  using type = T;
};

// One function a file. Null when the build has no such file; the caller checks the CPU before using the table.
const KernelTable* scalar_table();
const KernelTable* avx2_table();         // AVX2 + FMA + F16C
const KernelTable* avx512_table();       // AVX-512 F, BW, DQ, VL
const KernelTable* avx512_vnni_table();  // + VNNI
const KernelTable* avx512_bf16_table();  // + BF16 (and VNNI)
const KernelTable* amx_int8_table();     // + AMX's tiles, of bytes and of BF16, which the process must have been let use

}  // namespace fathom::kernels
