// The AVX-512 table with VNNI: its products with 8-bit activations are avx512_matmul_q8.cpp compiled for these instructions.
#include "kernels/kernel_table.hpp"

namespace fathom::kernels {

template <typename Pointer>
struct Pointee;
template <typename T>
struct Pointee<T*> {
  using type = T;
};

namespace avx512_vnni {
Pointee<MatmulQ8>::type matmul_q8_q4_0, matmul_q8_q4_1, matmul_q8_q5_0, matmul_q8_q5_1, matmul_q8_q8_0, matmul_q8_q2_k,
    matmul_q8_q3_k, matmul_q8_q4_k, matmul_q8_q5_k, matmul_q8_q6_k, matmul_q8_iq4_nl, matmul_q8_iq4_xs, matmul_q8_mxfp4;
}  // namespace avx512_vnni

namespace {

KernelTable make_table() {
  KernelTable table = *avx512_table();
  table.name = "avx512_vnni";
  table.matmul_q8[kQ4_0] = avx512_vnni::matmul_q8_q4_0;
  table.matmul_q8[kQ4_1] = avx512_vnni::matmul_q8_q4_1;
  table.matmul_q8[kQ5_0] = avx512_vnni::matmul_q8_q5_0;
  table.matmul_q8[kQ5_1] = avx512_vnni::matmul_q8_q5_1;
  table.matmul_q8[kQ8_0] = avx512_vnni::matmul_q8_q8_0;
  table.matmul_q8[kQ2_K] = avx512_vnni::matmul_q8_q2_k;
  table.matmul_q8[kQ3_K] = avx512_vnni::matmul_q8_q3_k;
  table.matmul_q8[kQ4_K] = avx512_vnni::matmul_q8_q4_k;
  table.matmul_q8[kQ5_K] = avx512_vnni::matmul_q8_q5_k;
  table.matmul_q8[kQ6_K] = avx512_vnni::matmul_q8_q6_k;
  table.matmul_q8[kIQ4_NL] = avx512_vnni::matmul_q8_iq4_nl;
  table.matmul_q8[kIQ4_XS] = avx512_vnni::matmul_q8_iq4_xs;
  table.matmul_q8[kMXFP4] = avx512_vnni::matmul_q8_mxfp4;
  return table;
}

}  // namespace

const KernelTable* avx512_vnni_table() {
  static const KernelTable table = make_table();
  return &table;
}

}  // namespace fathom::kernels
