// Vectors of 8 lanes (AVX2) or 16 (AVX-512) by one set of names, for products of block formats with 8-bit activations. A lane
// is 32 bits, or four bytes, or two halves of 16 bits.
//
// A header for products of block formats alone, as are the others named q8_*. matmul_q8.cpp is compiled once for each
// instruction set. All of it has internal linkage, so none can be taken for another file's.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"

namespace fathom::kernels::FATHOM_NAMESPACE {
namespace {

#ifdef __AVX512F__
using Ints = __m512i;
using Floats = __m512;
using HalfInts = __m256i;  // 16 bits a lane
constexpr int kLanes = 16;
#else
using Ints = __m256i;
using Floats = __m256;
using HalfInts = __m128i;
constexpr int kLanes = 8;
#endif

#ifdef __AVX512VNNI__
constexpr bool kDotInstruction = true;  // products of four pairs of bytes are added to 32 bits at once
#else
constexpr bool kDotInstruction = false;
#endif

using Lanes8 = int8_t __attribute__((vector_size(sizeof(Ints))));
using Lanes16 = uint16_t __attribute__((vector_size(sizeof(Ints))));
using Lanes32 = uint32_t __attribute__((vector_size(sizeof(Ints))));
using Signed32 = int32_t __attribute__((vector_size(sizeof(Ints))));

template <typename T>
FATHOM_INLINE T load_as(const uint8_t* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

// ---- The same for both widths.

FATHOM_INLINE Ints bit_and(Ints a, Ints b) { return a & b; }
FATHOM_INLINE Ints bit_or(Ints a, Ints b) { return a | b; }
FATHOM_INLINE Ints add8(Ints a, Ints b) { return Ints(Lanes8(a) + Lanes8(b)); }
FATHOM_INLINE Ints sub8(Ints a, Ints b) { return Ints(Lanes8(a) - Lanes8(b)); }
FATHOM_INLINE Ints add16(Ints a, Ints b) { return Ints(Lanes16(a) + Lanes16(b)); }
FATHOM_INLINE Ints add32(Ints a, Ints b) { return Ints(Lanes32(a) + Lanes32(b)); }
FATHOM_INLINE Ints sub32(Ints a, Ints b) { return Ints(Lanes32(a) - Lanes32(b)); }
FATHOM_INLINE Ints shift_right16(Ints v, int by) { return Ints(Lanes16(v) >> uint16_t(by)); }
FATHOM_INLINE Ints shift_left16(Ints v, int by) { return Ints(Lanes16(v) << uint16_t(by)); }
FATHOM_INLINE Ints shift_right32(Ints v, int by) { return Ints(Lanes32(v) >> uint32_t(by)); }
FATHOM_INLINE Ints shift_left32(Ints v, int by) { return Ints(Lanes32(v) << uint32_t(by)); }
FATHOM_INLINE Ints shift_right_signed32(Ints v, int by) { return Ints(Signed32(v) >> by); }

// ---- Those that differ.

#ifdef __AVX512F__

FATHOM_INLINE Ints zeros() { return _mm512_setzero_si512(); }
FATHOM_INLINE Ints all8(int8_t value) { return _mm512_set1_epi8(value); }
FATHOM_INLINE Ints all16(int16_t value) { return _mm512_set1_epi16(value); }
FATHOM_INLINE Ints all32(int32_t value) { return _mm512_set1_epi32(value); }
FATHOM_INLINE Floats all_floats(const float* value) { return _mm512_set1_ps(*value); }
FATHOM_INLINE Floats load_floats(const float* at) { return _mm512_load_ps(at); }
FATHOM_INLINE void store_floats(float* at, Floats v) { _mm512_store_ps(at, v); }
FATHOM_INLINE Ints repeat(__m128i bytes) { return _mm512_broadcast_i32x4(bytes); }

FATHOM_INLINE Floats multiply_floats(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
FATHOM_INLINE Floats multiply_add(Floats a, Floats b, Floats sum) { return _mm512_fmadd_ps(a, b, sum); }
FATHOM_INLINE Floats negate(Floats v) { return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f)); }
FATHOM_INLINE Floats to_floats(Ints v) { return _mm512_cvtepi32_ps(v); }
FATHOM_INLINE Floats as_floats(Ints v) { return _mm512_castsi512_ps(v); }
FATHOM_INLINE Ints as_ints(Floats v) { return _mm512_castps_si512(v); }
FATHOM_INLINE Floats halves_to_floats(HalfInts v) { return _mm512_cvtph_ps(v); }
FATHOM_INLINE Ints widen(HalfInts v) { return _mm512_cvtepu16_epi32(v); }
// The lower and the upper F16 of each lane.
FATHOM_INLINE void split_halves(Ints pairs, Floats& low, Floats& high) {
  low = halves_to_floats(_mm512_cvtepi32_epi16(pairs));
  high = halves_to_floats(_mm512_cvtepi32_epi16(shift_right32(pairs, 16)));
}

FATHOM_INLINE Ints madd8(Ints a, Ints b) { return _mm512_maddubs_epi16(a, b); }
FATHOM_INLINE Ints madd16(Ints a, Ints b) { return _mm512_madd_epi16(a, b); }
// |a| and b with the sign of a; where a is 0, b is left as it is.
FATHOM_INLINE Ints magnitudes(Ints a) { return _mm512_abs_epi8(a); }
FATHOM_INLINE Ints with_signs(Ints b, Ints a) { return _mm512_mask_sub_epi8(b, _mm512_movepi8_mask(a), zeros(), b); }
FATHOM_INLINE Ints blend_odd16(Ints even, Ints odd) { return _mm512_mask_mov_epi16(even, 0xaaaaaaaa, odd); }
FATHOM_INLINE Ints shuffle8(Ints table, Ints index) { return _mm512_shuffle_epi8(table, index); }
FATHOM_INLINE Ints shift_left_each32(Ints v, Ints by) { return _mm512_sllv_epi32(v, by); }
// Of 32-bit lanes and of bytes: `then` where a > b or all of b's bits are in a, else `otherwise` or 0.
FATHOM_INLINE Ints where_greater32(Ints a, Ints b, Ints then, Ints otherwise) {
  return _mm512_mask_mov_epi32(otherwise, _mm512_cmpgt_epi32_mask(a, b), then);
}
FATHOM_INLINE Ints where_bit8(Ints bytes, Ints bit, Ints then) {
  return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(bytes, bit), then);
}

template <typename Word>
FATHOM_INLINE Ints from_words32(Word word) {
  return _mm512_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7), word(8), word(9), word(10),
                           word(11), word(12), word(13), word(14), word(15));
}
template <typename Word>
FATHOM_INLINE HalfInts from_words16(Word word) {
  return _mm256_setr_epi16(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7), word(8), word(9), word(10),
                           word(11), word(12), word(13), word(14), word(15));
}

// 16 bytes at row(0), row(4), row(8) and row(12), side by side.
template <typename Row>
FATHOM_INLINE Ints quarters(Row row) {
  const auto load = [&](int r)
                        __attribute__((always_inline)) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row(r))); };
  Ints out = _mm512_broadcast_i32x4(load(0));
  out = _mm512_mask_broadcast_i32x4(out, 0x00f0, load(4));
  out = _mm512_mask_broadcast_i32x4(out, 0x0f00, load(8));
  return _mm512_mask_broadcast_i32x4(out, 0xf000, load(12));
}
FATHOM_INLINE Ints low_pairs32(Ints a, Ints b) { return _mm512_unpacklo_epi32(a, b); }
FATHOM_INLINE Ints high_pairs32(Ints a, Ints b) { return _mm512_unpackhi_epi32(a, b); }
FATHOM_INLINE Ints low_pairs64(Ints a, Ints b) { return _mm512_unpacklo_epi64(a, b); }
FATHOM_INLINE Ints high_pairs64(Ints a, Ints b) { return _mm512_unpackhi_epi64(a, b); }

#else

FATHOM_INLINE Ints zeros() { return _mm256_setzero_si256(); }
FATHOM_INLINE Ints all8(int8_t value) { return _mm256_set1_epi8(value); }
FATHOM_INLINE Ints all16(int16_t value) { return _mm256_set1_epi16(value); }
FATHOM_INLINE Ints all32(int32_t value) { return _mm256_set1_epi32(value); }
FATHOM_INLINE Floats all_floats(const float* value) { return _mm256_broadcast_ss(value); }
FATHOM_INLINE Floats load_floats(const float* at) { return _mm256_load_ps(at); }
FATHOM_INLINE void store_floats(float* at, Floats v) { _mm256_store_ps(at, v); }
FATHOM_INLINE Ints repeat(__m128i bytes) { return _mm256_broadcastsi128_si256(bytes); }

FATHOM_INLINE Floats multiply_floats(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
FATHOM_INLINE Floats multiply_add(Floats a, Floats b, Floats sum) { return _mm256_fmadd_ps(a, b, sum); }
FATHOM_INLINE Floats negate(Floats v) { return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f)); }
FATHOM_INLINE Floats to_floats(Ints v) { return _mm256_cvtepi32_ps(v); }
FATHOM_INLINE Floats as_floats(Ints v) { return _mm256_castsi256_ps(v); }
FATHOM_INLINE Ints as_ints(Floats v) { return _mm256_castps_si256(v); }
FATHOM_INLINE Floats halves_to_floats(HalfInts v) { return _mm256_cvtph_ps(v); }
FATHOM_INLINE Ints widen(HalfInts v) { return _mm256_cvtepu16_epi32(v); }
FATHOM_INLINE void split_halves(Ints pairs, Floats& low, Floats& high) {
  const Ints packed = _mm256_packus_epi32(pairs & all32(0xffff), shift_right32(pairs, 16));
  const Ints ordered = _mm256_permute4x64_epi64(packed, 0xd8);
  low = halves_to_floats(_mm256_castsi256_si128(ordered));
  high = halves_to_floats(_mm256_extracti128_si256(ordered, 1));
}

FATHOM_INLINE Ints madd8(Ints a, Ints b) { return _mm256_maddubs_epi16(a, b); }
FATHOM_INLINE Ints madd16(Ints a, Ints b) { return _mm256_madd_epi16(a, b); }
FATHOM_INLINE Ints magnitudes(Ints a) { return _mm256_abs_epi8(a); }
FATHOM_INLINE Ints with_signs(Ints b, Ints a) { return _mm256_sign_epi8(b, a); }
FATHOM_INLINE Ints blend_odd16(Ints even, Ints odd) { return _mm256_blend_epi16(even, odd, 0xaa); }
FATHOM_INLINE Ints shuffle8(Ints table, Ints index) { return _mm256_shuffle_epi8(table, index); }
FATHOM_INLINE Ints shift_left_each32(Ints v, Ints by) { return _mm256_sllv_epi32(v, by); }
FATHOM_INLINE Ints where_greater32(Ints a, Ints b, Ints then, Ints otherwise) {
  return _mm256_blendv_epi8(otherwise, then, _mm256_cmpgt_epi32(a, b));
}
FATHOM_INLINE Ints where_bit8(Ints bytes, Ints bit, Ints then) { return _mm256_cmpeq_epi8(bytes & bit, bit) & then; }

template <typename Word>
FATHOM_INLINE Ints from_words32(Word word) {
  return _mm256_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}
template <typename Word>
FATHOM_INLINE HalfInts from_words16(Word word) {
  return _mm_setr_epi16(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}

// 16 bytes at row(0) and row(4), side by side.
template <typename Row>
FATHOM_INLINE Ints quarters(Row row) {
  return _mm256_set_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row(4))),
                          _mm_loadu_si128(reinterpret_cast<const __m128i*>(row(0))));
}
FATHOM_INLINE Ints low_pairs32(Ints a, Ints b) { return _mm256_unpacklo_epi32(a, b); }
FATHOM_INLINE Ints high_pairs32(Ints a, Ints b) { return _mm256_unpackhi_epi32(a, b); }
FATHOM_INLINE Ints low_pairs64(Ints a, Ints b) { return _mm256_unpacklo_epi64(a, b); }
FATHOM_INLINE Ints high_pairs64(Ints a, Ints b) { return _mm256_unpackhi_epi64(a, b); }

#endif

// sum + the products of four pairs of bytes in each lane, unsigned by signed.
#ifdef __AVX512VNNI__
FATHOM_INLINE Ints add_dot4(Ints sum, Ints codes, Ints x) { return _mm512_dpbusd_epi32(sum, codes, x); }
#else
FATHOM_INLINE Ints add_dot4(Ints sum, Ints codes, Ints x) { return add32(sum, madd16(madd8(codes, x), all16(1))); }
#endif

}  // namespace
}  // namespace fathom::kernels::FATHOM_NAMESPACE
