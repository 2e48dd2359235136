// What files for instruction sets share: a loop body that is one, the prefetch, and for files compiled for several sets what
// their flags say, a namespace that keeps the copies apart, and AMX by one name.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/kernel_table.hpp"

#if defined(__AMX_INT8__) || defined(__AMXINT8__)  // as GCC and as clang 14 call it
#define FATHOM_AMX
#define FATHOM_NAMESPACE amx_int8
#elif defined(__AVX512VNNI__)
#define FATHOM_NAMESPACE avx512_vnni
#elif defined(__AVX512F__)
#define FATHOM_NAMESPACE avx512
#else
#define FATHOM_NAMESPACE avx2
#endif

// A loop body from loads to sums must stay in registers, and the compiler's size limits would break it into calls.
#define FATHOM_INLINE inline __attribute__((always_inline))

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

// The choice for so many rows of activations.
FATHOM_INLINE const Prefetch& prefetch_for(int64_t m, const StreamPrefetch& choice) {
  return choice.of[m <= kPrefetchFew ? 0 : m <= kPrefetchSeveral ? 1 : 2];
}

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
