// AVX2: decoding of block-quantised weights, a row at a time.
//
// A group is 256 columns: a super-block, or eight blocks of 32. Each format says for a group
//   value = scale[b] * factor[s] * code + offset_scale[b] * offset_factor[s]      (b block of 32, s sub-block of 16 columns)
// with integer codes and factors, so that one loop serves all.
#include <immintrin.h>
#include <stdint.h>

#include "kernels/avx_flags.hpp"
#include "kernels/kernel_table.hpp"

namespace fathom::kernels::avx2 {
namespace {

constexpr int64_t kGroup = 256;
constexpr int kBlocks = 8;  // of 32 columns, in a group

struct Group {
  __m256 scale;                                     // [b]
  __m256 offset_scale = _mm256_setzero_ps();        // [b]
  __m256i offset_factors = _mm256_setzero_si256();  // i16[s]
  __m256i factors = _mm256_setzero_si256();         // i16[s]
};

FATHOM_INLINE __m256i load32(const uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }
FATHOM_INLINE __m128i load16(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
FATHOM_INLINE uint32_t load_u32(const uint8_t* at) {
  uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}
FATHOM_INLINE uint16_t load_u16(const uint8_t* at) {
  uint16_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}
FATHOM_INLINE float load_f16(const uint8_t* at) { return _cvtsh_ss(load_u16(at)); }

// The first 16 bits at `at` of each of `blocks` blocks; 0 behind them. The whole group is joined in registers, because
// reading eight narrow stores back as one wide value would stall.
FATHOM_INLINE __m128i load_u16_of_blocks(const uint8_t* at, int64_t block_bytes, int blocks) {
  if (blocks == kBlocks) {
    const auto u16 = [=](int b) { return short(load_u16(at + b * block_bytes)); };
    return _mm_setr_epi16(u16(0), u16(1), u16(2), u16(3), u16(4), u16(5), u16(6), u16(7));
  }
  alignas(16) uint16_t values[kBlocks] = {};
  for (int b = 0; b < blocks; ++b) values[b] = load_u16(at + b * block_bytes);
  return _mm_load_si128(reinterpret_cast<const __m128i*>(values));
}
FATHOM_INLINE __m256 load_f16_of_blocks(const uint8_t* at, int64_t block_bytes, int blocks) {
  return _mm256_cvtph_ps(load_u16_of_blocks(at, block_bytes, blocks));
}

// Bits moved left by `by`, or right when it is negative, within 16-bit lanes; callers mask what crosses a byte.
FATHOM_INLINE __m256i shift_left(__m256i bits, int by) {
  return by >= 0 ? _mm256_slli_epi16(bits, by) : _mm256_srli_epi16(bits, -by);
}
FATHOM_INLINE __m256i mask(__m256i bits, int byte) { return _mm256_and_si256(bits, _mm256_set1_epi8(char(byte))); }

// Sixteen bytes of nibbles: the low ones in the lower half, the high ones in the upper.
FATHOM_INLINE __m256i split_nibbles(const uint8_t* at) {
  const __m128i bytes = load16(at);
  return mask(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes), 15);
}

// Bit j of `bits` as 16 in byte j.
FATHOM_INLINE __m256i fifth_bits(uint32_t bits) {
  const __m256i byte_of = _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
  const __m256i bit_of = _mm256_set1_epi64x(int64_t(0x8040201008040201));
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(int(bits)), byte_of);
  return mask(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit_of), bit_of), 16);
}

FATHOM_INLINE __m256i look_up(__m128i levels, __m256i nibbles) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(levels), nibbles);
}
FATHOM_INLINE __m128i iq4_levels() {
  return _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
}
// E2M1 values, doubled to be integers.
FATHOM_INLINE __m128i twice_e2m1() { return _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12); }

// Eight bytes, one a block, as i16 for both sub-blocks of each block.
FATHOM_INLINE __m256i twice_i16(__m128i bytes) {
  const __m256i wide = _mm256_cvtepu8_epi32(bytes);
  return _mm256_or_si256(wide, _mm256_slli_epi32(wide, 16));
}

// ---- The formats. kSigned: codes are signed bytes, else unsigned. kFactors: sub-blocks have factors. kOffset: values have
// offsets. begin() reads what a group has once; codes() the codes of block b.

struct Blocks32 {
  static constexpr bool kSigned = false, kFactors = false, kOffset = true;
};

struct Q4_0 : Blocks32 {
  static constexpr int kValues = 32, kBytes = 18;
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) {
    const __m256 d = load_f16_of_blocks(at, kBytes, blocks);
    return {d, d, _mm256_set1_epi16(-8)};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) { return split_nibbles(at + b * kBytes + 2); }
};

struct Q4_1 : Blocks32 {
  static constexpr int kValues = 32, kBytes = 20;
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) {
    return {load_f16_of_blocks(at, kBytes, blocks), load_f16_of_blocks(at + 2, kBytes, blocks), _mm256_set1_epi16(1)};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) { return split_nibbles(at + b * kBytes + 4); }
};

struct Q5_0 : Blocks32 {
  static constexpr int kValues = 32, kBytes = 22;
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) {
    const __m256 d = load_f16_of_blocks(at, kBytes, blocks);
    return {d, d, _mm256_set1_epi16(-16)};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    const uint8_t* block = at + b * kBytes;
    return _mm256_or_si256(split_nibbles(block + 6), fifth_bits(load_u32(block + 2)));
  }
};

struct Q5_1 : Blocks32 {
  static constexpr int kValues = 32, kBytes = 24;
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) {
    return {load_f16_of_blocks(at, kBytes, blocks), load_f16_of_blocks(at + 2, kBytes, blocks), _mm256_set1_epi16(1)};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    const uint8_t* block = at + b * kBytes;
    return _mm256_or_si256(split_nibbles(block + 8), fifth_bits(load_u32(block + 4)));
  }
};

struct SignedBlocks32 {
  static constexpr bool kSigned = true, kFactors = false, kOffset = false;
};

struct Q8_0 : SignedBlocks32 {
  static constexpr int kValues = 32, kBytes = 34;
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) { return {load_f16_of_blocks(at, kBytes, blocks)}; }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) { return load32(at + b * kBytes + 2); }
};

struct IQ4_NL : SignedBlocks32 {
  static constexpr int kValues = 32, kBytes = 18;
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) { return {load_f16_of_blocks(at, kBytes, blocks)}; }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    return look_up(iq4_levels(), split_nibbles(at + b * kBytes + 2));
  }
};

struct MXFP4 : SignedBlocks32 {
  static constexpr int kValues = 32, kBytes = 17;
  // 2^(e - 128), for doubled codes: below e = 2 a subnormal number, and NaN for 255.
  static FATHOM_INLINE Group begin(const uint8_t* at, int blocks) {
    const __m256i e = _mm256_and_si256(_mm256_cvtepu16_epi32(load_u16_of_blocks(at, kBytes, blocks)), _mm256_set1_epi32(255));
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i power = _mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e));
    const __m256i nan = _mm256_cmpeq_epi32(e, _mm256_set1_epi32(255));  // all ones
    return {_mm256_castsi256_ps(_mm256_or_si256(power, nan))};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    return look_up(twice_e2m1(), split_nibbles(at + b * kBytes + 1));
  }
};

struct Q2_K {
  static constexpr bool kSigned = false, kFactors = true, kOffset = true;
  static constexpr int kValues = 256, kBytes = 84;
  static FATHOM_INLINE Group begin(const uint8_t* at, int) {
    const __m128i scales = load16(at);
    const __m128i low = _mm_set1_epi8(15);
    return {_mm256_set1_ps(load_f16(at + 80)), _mm256_set1_ps(-load_f16(at + 82)),
            _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(scales, 4), low)),
            _mm256_cvtepu8_epi16(_mm_and_si128(scales, low))};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    return mask(shift_left(load32(at + 16 + 32 * (b / 4)), -2 * (b % 4)), 3);
  }
};

struct Q3_K {
  static constexpr bool kSigned = false, kFactors = true, kOffset = true;
  static constexpr int kValues = 256, kBytes = 110;
  static FATHOM_INLINE Group begin(const uint8_t* at, int) {
    const uint32_t low = load_u32(at + 96), high = load_u32(at + 100), top = load_u32(at + 104);
    const auto scales = [top](uint32_t nibbles, int quarter) {
      return int((nibbles & 0x0f0f0f0f) | (top >> 2 * quarter & 0x03030303) << 4);
    };
    const __m128i biased = _mm_setr_epi32(scales(low, 0), scales(high, 1), scales(low >> 4, 2), scales(high >> 4, 3));
    const __m256i factors = _mm256_cvtepi8_epi16(_mm_sub_epi8(biased, _mm_set1_epi8(32)));
    const float d = load_f16(at + 108);
    return {_mm256_set1_ps(d), _mm256_set1_ps(-4.0f * d), factors, factors};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    const __m256i low = mask(shift_left(load32(at + 32 + 32 * (b / 4)), -2 * (b % 4)), 3);
    return _mm256_or_si256(low, mask(shift_left(load32(at), 2 - b), 4));
  }
};

// d, dmin and the six-bit scales and mins in front of Q4_K and Q5_K.
FATHOM_INLINE Group begin_k(const uint8_t* at) {
  const uint32_t q0 = load_u32(at + 4), q1 = load_u32(at + 8), q2 = load_u32(at + 12);
  constexpr uint32_t kSix = 0x3f3f3f3f, kFour = 0x0f0f0f0f, kTwo = 0x03030303;
  const __m128i scales = _mm_setr_epi32(int(q0 & kSix), int((q2 & kFour) | (q0 >> 6 & kTwo) << 4), 0, 0);
  const __m128i mins = _mm_setr_epi32(int(q1 & kSix), int((q2 >> 4 & kFour) | (q1 >> 6 & kTwo) << 4), 0, 0);
  const __m256 d = _mm256_set1_ps(load_f16(at));
  return {_mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(scales))), _mm256_set1_ps(-load_f16(at + 2)),
          twice_i16(mins)};
}

struct Q4_K {
  static constexpr bool kSigned = false, kFactors = false, kOffset = true;
  static constexpr int kValues = 256, kBytes = 144;
  static FATHOM_INLINE Group begin(const uint8_t* at, int) { return begin_k(at); }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    return mask(shift_left(load32(at + 16 + 32 * (b / 2)), -4 * (b % 2)), 15);
  }
};

struct Q5_K {
  static constexpr bool kSigned = false, kFactors = false, kOffset = true;
  static constexpr int kValues = 256, kBytes = 176;
  static FATHOM_INLINE Group begin(const uint8_t* at, int) { return begin_k(at); }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    const __m256i low = mask(shift_left(load32(at + 48 + 32 * (b / 2)), -4 * (b % 2)), 15);
    return _mm256_or_si256(low, mask(shift_left(load32(at + 16), 4 - b), 16));
  }
};

struct Q6_K {
  static constexpr bool kSigned = false, kFactors = true, kOffset = true;
  static constexpr int kValues = 256, kBytes = 210;
  static FATHOM_INLINE Group begin(const uint8_t* at, int) {
    const __m256i factors = _mm256_cvtepi8_epi16(load16(at + 192));
    const float d = load_f16(at + 208);
    return {_mm256_set1_ps(d), _mm256_set1_ps(-32.0f * d), factors, factors};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) {
    const int half = b / 4, quarter = b % 4;
    const __m256i low = mask(shift_left(load32(at + 64 * half + 32 * (quarter % 2)), -4 * (quarter / 2)), 15);
    return _mm256_or_si256(low, mask(shift_left(load32(at + 128 + 32 * half), 4 - 2 * quarter), 0x30));
  }
};

struct IQ4_XS {
  static constexpr bool kSigned = true, kFactors = false, kOffset = false;
  static constexpr int kValues = 256, kBytes = 136;
  static FATHOM_INLINE Group begin(const uint8_t* at, int) {
    const __m256i high = _mm256_srlv_epi32(_mm256_set1_epi32(load_u16(at + 2)), _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
    const __m256i low =
        _mm256_srlv_epi32(_mm256_set1_epi32(int(load_u32(at + 4))), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    const __m256i biased = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)),
                                           _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4));
    const __m256 scales = _mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(32)));
    return {_mm256_mul_ps(_mm256_set1_ps(load_f16(at)), scales)};
  }
  static FATHOM_INLINE __m256i codes(const uint8_t* at, int b) { return look_up(iq4_levels(), split_nibbles(at + 8 + 16 * b)); }
};

// ---- Decoding.

// Sixteen bytes times one scale, plus one offset. The product is exact, so the sum is rounded as the definition rounds it.
template <typename F>
FATHOM_INLINE void store16(__m128i codes, float scale, float offset, float* out) {
  for (int half = 0; half < 2; ++half) {
    const __m256i wide = F::kSigned ? _mm256_cvtepi8_epi32(codes) : _mm256_cvtepu8_epi32(codes);
    _mm256_storeu_ps(out + 8 * half, _mm256_fmadd_ps(_mm256_cvtepi32_ps(wide), _mm256_set1_ps(scale), _mm256_set1_ps(offset)));
    codes = _mm_srli_si128(codes, 8);
  }
}

template <typename F>
FATHOM_INLINE void decode_group(const uint8_t* at, int blocks, float* out) {
  const Group group = F::begin(at, blocks);
  alignas(32) float scale[kBlocks], offset_scale[kBlocks];
  alignas(32) int16_t factors[2 * kBlocks], offset_factors[2 * kBlocks];
  _mm256_store_ps(scale, group.scale);
  _mm256_store_ps(offset_scale, group.offset_scale);
  _mm256_store_si256(reinterpret_cast<__m256i*>(factors), group.factors);
  _mm256_store_si256(reinterpret_cast<__m256i*>(offset_factors), group.offset_factors);
#pragma GCC unroll 8
  for (int b = 0; b < blocks; ++b) {
    const __m256i codes = F::codes(at, b);
    for (int h = 0; h < 2; ++h) {
      const int s = 2 * b + h;
      const float factor = F::kFactors ? scale[b] * float(factors[s]) : scale[b];
      const float offset = F::kOffset ? offset_scale[b] * float(offset_factors[s]) : 0.0f;
      store16<F>(h ? _mm256_extracti128_si256(codes, 1) : _mm256_castsi256_si128(codes), factor, offset, out + 16 * s);
    }
  }
}

template <typename F>
FATHOM_INLINE void decode(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out) {
  const uint8_t* at = w.data + row * w.row_bytes + first_col / F::kValues * F::kBytes;
  int64_t k = 0;
  for (; k + kGroup <= count; k += kGroup, at += kGroup / F::kValues * F::kBytes) decode_group<F>(at, kBlocks, out + k);
  if constexpr (F::kValues == 32) {
    if (k < count) decode_group<F>(at, int((count - k) / 32), out + k);
  }
}

}  // namespace

// What avx2.cpp makes its table of.
#define FATHOM_DECODE(format, Name, values, bytes)                                                       \
  void decode_##format(const WeightRows& w, int64_t row, int64_t first_col, int64_t count, float* out) { \
    static_assert(Name::kValues == values && Name::kBytes == bytes);                                     \
    decode<Name>(w, row, first_col, count, out);                                                         \
  }
FATHOM_BLOCK_FORMATS(FATHOM_DECODE)
#undef FATHOM_DECODE

}  // namespace fathom::kernels::avx2
