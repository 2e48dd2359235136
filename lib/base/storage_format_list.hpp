// The list of storage formats, from which every table of formats is filled. To add a format, add its row here and a file
// lib/quant/<id>.cpp with its codec; a block format also needs its kernels (lib/kernels/README.md).
//
// A row is (id, name, values in a block, bytes of a block). The name is what GGUF or safetensors call it. Rows are in the order
// of the enumeration, which saved sessions depend on: a new row goes to the end.
//
// Macros only: instruction-set files include this header.
#pragma once

// Each argument is a macro for the rows of one class:
//  FLOATING  one value a code, activations in F32; f8_e4m3 and f4_e2m1 have their factors in another tensor
//  BLOCK     integer codes with scales, activations in 8 bits, sixteen rows interleaved
//  MICRO     floating codes with a scale for each block, activations in F32 or 8 bits, rows as stored
//  SIZED     known by name and size: a loader can name them and step over them
#define FATHOM_STORAGE_FORMATS(FLOATING, BLOCK, MICRO, SIZED) \
  FLOATING(f32, F32, 1, 4)                                    \
  FLOATING(f16, F16, 1, 2)                                    \
  FLOATING(bf16, BF16, 1, 2)                                  \
  SIZED(f64, F64, 1, 8)                                       \
  FLOATING(f8_e4m3, F8_E4M3, 1, 1)                            \
  FLOATING(f4_e2m1, F4_E2M1, 2, 1)                            \
  BLOCK(q4_0, Q4_0, 32, 18)                                   \
  BLOCK(q4_1, Q4_1, 32, 20)                                   \
  BLOCK(q5_0, Q5_0, 32, 22)                                   \
  BLOCK(q5_1, Q5_1, 32, 24)                                   \
  BLOCK(q8_0, Q8_0, 32, 34)                                   \
  SIZED(q8_1, Q8_1, 32, 36)                                   \
  BLOCK(q2_k, Q2_K, 256, 84)                                  \
  BLOCK(q3_k, Q3_K, 256, 110)                                 \
  BLOCK(q4_k, Q4_K, 256, 144)                                 \
  BLOCK(q5_k, Q5_K, 256, 176)                                 \
  BLOCK(q6_k, Q6_K, 256, 210)                                 \
  SIZED(q8_k, Q8_K, 256, 292)                                 \
  BLOCK(iq4_nl, IQ4_NL, 32, 18)                               \
  BLOCK(iq4_xs, IQ4_XS, 256, 136)                             \
  MICRO(mxfp4, MXFP4, 32, 17)                                 \
  SIZED(iq2_xxs, IQ2_XXS, 256, 66)                            \
  SIZED(iq2_xs, IQ2_XS, 256, 74)                              \
  SIZED(iq3_xxs, IQ3_XXS, 256, 98)                            \
  SIZED(iq1_s, IQ1_S, 256, 50)                                \
  SIZED(iq3_s, IQ3_S, 256, 110)                               \
  SIZED(iq2_s, IQ2_S, 256, 82)                                \
  SIZED(iq1_m, IQ1_M, 256, 56)                                \
  SIZED(tq1_0, TQ1_0, 256, 54)                                \
  SIZED(tq2_0, TQ2_0, 256, 66)                                \
  SIZED(nvfp4, NVFP4, 64, 36)                                 \
  SIZED(q1_0, Q1_0, 128, 18)                                  \
  SIZED(q2_0, Q2_0, 64, 18)                                   \
  SIZED(i8, I8, 1, 1)                                         \
  SIZED(i16, I16, 1, 2)                                       \
  SIZED(i32, I32, 1, 4)                                       \
  SIZED(i64, I64, 1, 8)                                       \
  SIZED(u8, U8, 1, 1)                                         \
  SIZED(u16, U16, 1, 2)                                       \
  SIZED(u32, U32, 1, 4)                                       \
  SIZED(u64, U64, 1, 8)                                       \
  SIZED(boolean, BOOL, 1, 1)                                  \
  SIZED(f8_e5m2, F8_E5M2, 1, 1)                               \
  SIZED(f8_e8m0, F8_E8M0, 1, 1)

#define FATHOM_NO_FORMAT(...)

#define FATHOM_ALL_FORMATS(X) FATHOM_STORAGE_FORMATS(X, X, X, X)
#define FATHOM_COMPUTED_FORMATS(X) FATHOM_STORAGE_FORMATS(X, X, X, FATHOM_NO_FORMAT)
#define FATHOM_FLOATING_FORMATS(X) FATHOM_STORAGE_FORMATS(X, FATHOM_NO_FORMAT, FATHOM_NO_FORMAT, FATHOM_NO_FORMAT)
#define FATHOM_INTERLEAVED_FORMATS(X) FATHOM_STORAGE_FORMATS(FATHOM_NO_FORMAT, X, FATHOM_NO_FORMAT, FATHOM_NO_FORMAT)
#define FATHOM_BLOCK_FORMATS(X) FATHOM_STORAGE_FORMATS(FATHOM_NO_FORMAT, X, X, FATHOM_NO_FORMAT)
#define FATHOM_F32_PRODUCT_FORMATS(X) FATHOM_STORAGE_FORMATS(X, FATHOM_NO_FORMAT, X, FATHOM_NO_FORMAT)
