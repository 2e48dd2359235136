// Products with activations in BF16 by AMX, for many rows: an instruction multiplies 16 rows of activations by 16 rows of
// weights, 32 columns of each, and adds to 16 x 16 floats. A group of columns of 32 rows of weights is decoded to BF16 in the
// order that the instruction wants, and all rows of activations pass over it. The same columns of the next rows follow: so
// activations are in the first-level cache, and as many sums as find room.
//
// An element's sum goes through its columns in ascending order, whatever the other rows: bits depend on its own rows alone.
#include "kernels/amx_tiles.hpp"
#include "kernels/q8_blocks.hpp"
#include "kernels/q8_k_blocks.hpp"
#include "kernels/q8_tile.hpp"

namespace fathom::kernels::amx_int8 {
namespace {

constexpr int kRows = int(kBf16Rows);                                    // of activations in a tile
constexpr int kWeightTiles = 2, kWeightRows = kWeightTiles * kTileRows;  // decoded together
constexpr int64_t kPanel = 256;       // rows of activations that share decoded weights: of one term,
constexpr int64_t kExactPanel = 128;  // of all
constexpr int64_t kSums = 32;         // pairs of tiles of sums that are kept at once

// 16 rows of weights, 32 columns: lane r of vector j has columns 2j and 2j + 1 of row r.
using Block = Ints[kBlockValues / 2];
// 16 rows of activations times 16 of weights.
using Sums = float[kRows][kTileRows];

struct Scratch {
  Block weights[kWeightTiles][kGroupBlocks];
  Sums sums[kSums][kWeightTiles];
  Sums segment[2][kWeightTiles];  // of columns that share factors
};
static_assert(sizeof(Scratch) <= kBf16Scratch);

// ---- Block formats: values are rounded to BF16.

// Two vectors of floats as pairs of BF16, to nearest, ties away from zero. Infinity stays what it is; so does NaN as processors
// make it.
FATHOM_INLINE Ints pairs_of(Floats first, Floats second) {
  const Ints half = all32(0x8000), upper = repeat(_mm_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15));
  return _mm512_mask_shuffle_epi8(add32(as_ints(second), half), 0x3333333333333333, add32(as_ints(first), half), upper);
}

// Byte `at` of each lane as the fraction of a number from 1 to 2. That is a code as a float without the conversion, which
// competes with multiplications for ports.
template <int at>
FATHOM_INLINE Floats as_fraction(Ints lanes) {
  return as_floats(_mm512_ternarylogic_epi32(lanes, all32(255 << (8 * at)), all32(0x3f800000), 0xea));  // (lanes & byte) | 1.0
}

// From codes to values, when codes are fractions by byte 1 and by byte 2.
struct Affine {
  Floats factor1, offset1, factor2, offset2;
};

// value = scale * code + offset
FATHOM_INLINE Affine affine(Floats scale, Floats offset) {
  const Floats factor1 = multiply_floats(scale, _mm512_set1_ps(0x1p15f)),
               factor2 = multiply_floats(scale, _mm512_set1_ps(0x1p7f));
  return {factor1, _mm512_sub_ps(offset, factor1), factor2, _mm512_sub_ps(offset, factor2)};
}

// Parts of a group: blocks, or with factors the halves of blocks.
template <typename F>
constexpr int kHalves = F::kFactors ? 2 : 1;

template <typename F>
FATHOM_INLINE Affine affine_of(const Tile<F>& tile, int b, int half) {
  Floats scale = tile.scale[b][0], offset = _mm512_setzero_ps();
  if constexpr (F::kFactors) scale = multiply_floats(scale, as_floats(tile.factors[2 * b + half][0]));
  if constexpr (F::kMin && F::kFactors) {
    const Ints both = tile.sum_factors[b][0];
    offset = multiply_floats(tile.min[0][0], to_floats(shift_right_signed32(half ? both : shift_left32(both, 16), 16)));
  } else if constexpr (F::kMin) {
    offset = tile.min[b][0];
  }
  constexpr int kBias = F::kSigned ? 128 : F::kBias;  // signed codes are made unsigned
  if constexpr (kBias != 0) offset = multiply_add(scale, _mm512_set1_ps(-float(kBias)), offset);
  return affine(scale, offset);
}

// The values of four columns as two pairs.
template <typename F>
FATHOM_INLINE void values_of(Ints codes, const Affine& by, Ints* out) {
  const auto byte1 = [&](Ints lanes)
                         __attribute__((always_inline)) { return multiply_add(as_fraction<1>(lanes), by.factor1, by.offset1); };
  const auto byte2 = [&](Ints lanes)
                         __attribute__((always_inline)) { return multiply_add(as_fraction<2>(lanes), by.factor2, by.offset2); };
  if constexpr (F::kSigned) {
    // Of eight bits, so too large for byte 2, whose uppermost is no bit of the fraction.
    const Ints made = codes ^ all8(-128),
               first_bytes = repeat(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
    const auto byte = [&](int8_t k)
                          __attribute__((always_inline)) { return byte1(shuffle8(made, add8(first_bytes, all8(k)))); };
    out[0] = pairs_of(byte(0), byte1(made));
    out[1] = pairs_of(byte(2), byte(3));
  } else {
    const Ints outer = shuffle8(codes, repeat(_mm_setr_epi8(0, 3, 0, 3, 4, 7, 4, 7, 8, 11, 8, 11, 12, 15, 12, 15)));
    out[0] = pairs_of(byte2(outer), byte1(codes));
    out[1] = pairs_of(byte2(codes), byte1(outer));
  }
}

template <typename F, typename TileRows>
struct BlockWeights {
  static constexpr int kTerms = 1;
  const WeightRows& w;
  int64_t last_row;
  alignas(64) Tile<F> tile;

  static int64_t group_bytes(int blocks) { return kTileRows * (blocks * kBlockValues / F::kValues) * F::kBytes; }

  // Rows [n, n + 16), `blocks` blocks of 32 columns from k on. Memory is asked for what lies so many bytes ahead.
  void decode(int64_t n, int64_t k, int blocks, int64_t ahead, Block* out) {
    const TileRows all(w, n, last_row - n < kTileRows ? last_row - n : kTileRows);
    const auto rows = all.part(0, k / F::kValues * F::kBytes, blocks, Prefetch{int32_t(ahead), int32_t(ahead), 0});
    F::terms(rows, blocks, 0, tile);
    for (int b = 0; b < blocks; b += F::kStep) {
      Affine by[F::kStep][kHalves<F>];
#pragma GCC unroll 4
      for (int j = 0; j < F::kStep; ++j) {
#pragma GCC unroll 2
        for (int half = 0; half < kHalves<F>; ++half) by[j][half] = affine_of(tile, b + j, half);
      }
      F::codes(rows, b, [&](int j, int d, Ints codes) __attribute__((always_inline)) {
        values_of<F>(codes, by[j][kHalves<F> == 2 ? d / 4 : 0], out[b + j] + 2 * d);
      });
    }
  }
};

// 2^(e - 127) as bits of a float: subnormal for 0, NaN for 255.
FATHOM_INLINE int32_t power_bits(int32_t e) { return e == 0 ? 0x00400000 : e == 255 ? 0x7fc00000 : e << 23; }

// ---- Floating formats: values are exact. A format F has block(rows, k, out) for columns [k, k + 32) of 16 rows.

// Asks for a line of each row.
FATHOM_INLINE void ask_for_rows(const uint8_t* const* rows, int64_t at) {
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r) _mm_prefetch(reinterpret_cast<const char*>(rows[r] + at), _MM_HINT_T1);
}

struct BF16 {
  static constexpr int kBlockBytes = 64;
  static FATHOM_INLINE void block(const uint8_t* const* rows, int64_t k, Block& out) {
    __m512i columns[kTileRows];
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) columns[r] = _mm512_loadu_si512(rows[r] + 2 * k);
    transpose(columns);
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) out[r] = columns[r];
  }
};

struct F8E4M3 {
  static constexpr int kBlockBytes = 32;
  static FATHOM_INLINE void block(const uint8_t* const* rows, int64_t k, Block& out) {
    // Lane r of vector j has the codes of columns 4j to 4j + 3 of row r.
    Ints columns[8];
    columns32(rows, k, columns);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) values_of(columns[j], out + 2 * j);
  }

 private:
  // 32 bytes of each row as columns.
  static FATHOM_INLINE void columns32(const uint8_t* const* rows, int64_t k, Ints (&out)[8]) {
    Ints some[4], others[4];
    columns16(Rows{rows, k}, 0, some);
    columns16(Rows{rows, k}, 16, others);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      out[j] = some[j];
      out[4 + j] = others[j];
    }
  }

  // Four columns as two pairs. Exponent and fraction of a code move from the upper byte of a word to where BF16 has them; the
  // biases are 7 and 127.
  static FATHOM_INLINE void values_of(Ints codes, Ints* out) {
    const Ints first = repeat(_mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
    const Ints second = repeat(_mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15));
    const bool odd = _mm512_testn_epi8_mask(codes, all8(0x78)) | _mm512_cmpeq_epi8_mask(bit_or(codes, all8(-128)), all8(-1));
    out[0] = values(shuffle8(codes, first));
    out[1] = values(shuffle8(codes, second));
    if (__builtin_expect(odd, 0)) {
      mend(shuffle8(codes, first), out[0]);
      mend(shuffle8(codes, second), out[1]);
    }
  }

  static FATHOM_INLINE Ints values(Ints words) {
    return add16(bit_and(_mm512_srai_epi16(words, 4), all16(int16_t(0x87f0))), all16(120 << 7));
  }

  // Codes without an exponent, which are fraction * 2^-9, and NaN.
  static __attribute__((noinline)) void mend(Ints words, Ints& out) {
    const Ints small = _mm512_castsi128_si512(_mm_setr_epi16(0, 0x3b00, 0x3b80, 0x3bc0, 0x3c00, 0x3c20, 0x3c40, 0x3c60));
    const Ints fraction = _mm512_permutexvar_epi16(bit_and(shift_right16(words, 8), all16(7)), small);
    const Ints signs = bit_and(words, all16(int16_t(0x8000)));
    out = _mm512_mask_mov_epi16(out, _mm512_testn_epi16_mask(words, all16(0x7800)), bit_or(fraction, signs));
    out = _mm512_mask_mov_epi16(out, _mm512_cmpeq_epi16_mask(bit_and(words, all16(0x7f00)), all16(0x7f00)), all16(0x7fc0));
  }
};

struct MXFP4Rows {
  static constexpr int kBlockBytes = 17;
  static FATHOM_INLINE void block(const uint8_t* const* rows, int64_t k, Block& out) {
    const int64_t at = k / 32 * kBlockBytes;
    alignas(64) int32_t exponents[kTileRows];
    bool plain = true;
    for (int r = 0; r < kTileRows; ++r) {
      exponents[r] = rows[r][at];
      plain &= exponents[r] >= kLeast && exponents[r] <= kMost;
    }
    Ints bytes[4];
    columns16(Rows{rows, at}, 1, bytes);
    // Added to a word, 2^(exponent - 127) is a factor.
    const Ints both = sub32(load_as<Ints>(reinterpret_cast<const uint8_t*>(exponents)), all32(127));
    const Ints powers = blend_odd16(shift_left32(both, 7), shift_left32(both, 23));
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      values_of(low_nibbles(bytes[c]), powers, out + 2 * c);
      values_of(high_nibbles(bytes[c]), powers, out + 8 + 2 * c);
    }
    if (__builtin_expect(!plain, 0)) multiply_again(bytes, exponents, out);
  }

 private:
  static constexpr int kLeast = 2, kMost = 251;  // exponents that leave all values within BF16's normal numbers

  // 0, 1/2, 1, 3/2, 2, 3, 4, 6, and their negatives, for four columns as two pairs.
  static FATHOM_INLINE Ints levels_of(Ints codes) {
    const Ints lower = repeat(_mm_setr_epi8(0, 0, -128, -64, 0, 64, -128, -64, 0, 0, -128, -64, 0, 64, -128, -64));
    const Ints upper = repeat(_mm_setr_epi8(0, 63, 63, 63, 64, 64, 64, 64, -128, -65, -65, -65, -64, -64, -64, -64));
    return _mm512_mask_shuffle_epi8(shuffle8(lower, codes), 0xaaaaaaaaaaaaaaaa, upper, codes);
  }
  static FATHOM_INLINE Ints spread(Ints codes, int pair) {
    const Ints first = repeat(_mm_setr_epi8(0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13));
    return shuffle8(codes, add8(first, all8(int8_t(2 * pair))));
  }
  static FATHOM_INLINE void values_of(Ints codes, Ints powers, Ints* out) {
#pragma GCC unroll 2
    for (int pair = 0; pair < 2; ++pair) {
      const Ints levels = levels_of(spread(codes, pair));
      out[pair] = _mm512_mask_add_epi16(levels, _mm512_test_epi16_mask(levels, all16(0x7fff)), levels, powers);
    }
  }

  // With other exponents: by multiplication, which overflows and meets NaN as it should.
  static __attribute__((noinline)) void multiply_again(const Ints (&bytes)[4], const int32_t* exponents, Block& out) {
    Floats factors;
    for (int r = 0; r < kTileRows; ++r) {
      const int32_t bits = power_bits(exponents[r]);
      __builtin_memcpy(reinterpret_cast<char*>(&factors) + 4 * r, &bits, sizeof bits);
    }
    for (int j = 0; j < kTileRows; ++j) {
      const Ints all = bytes[j % 8 / 2], levels = levels_of(spread(j < 8 ? low_nibbles(all) : high_nibbles(all), j % 2));
      const Floats low = multiply_floats(as_floats(shift_left32(levels, 16)), factors);
      const Floats high = multiply_floats(as_floats(bit_and(levels, all32(int(0xffff0000u)))), factors);
      out[j] = blend_odd16(shift_right32(as_ints(low), 16), as_ints(high));
    }
  }
};

template <typename F>
struct FloatWeights {
  static constexpr int kTerms = kBf16Terms;
  const WeightRows& w;
  int64_t last_row;

  static int64_t group_bytes(int blocks) { return blocks * F::kBlockBytes; }

  void decode(int64_t n, int64_t k, int blocks, int64_t ahead, Block* out) {
    const uint8_t* rows[kTileRows];
    for (int64_t r = 0; r < kTileRows; ++r) rows[r] = w.data + (n + r < last_row ? n + r : last_row - 1) * w.row_bytes;
    for (int b = 0; b < blocks; ++b) {
      ask_for_rows(rows, (k / kBlockValues + b) * F::kBlockBytes + ahead);
      F::block(rows, k + kBlockValues * b, out[b]);
    }
  }

  // Factors of rows [n, n + 16) at column k; the last row stands in for those that are not there.
  Floats factors(int64_t n, int64_t k) const {
    const auto* scales = static_cast<const uint8_t*>(w.scales);
    int64_t at[kTileRows], block = n / w.scale_rows, inside = n % w.scale_rows;
    for (int r = 0; r < kTileRows; ++r) {
      at[r] = block * w.scale_stride + k / w.scale_cols;
      if (n + r + 1 < last_row && ++inside == w.scale_rows) {
        inside = 0;
        ++block;
      }
    }
    return as_floats(from_words32([&](int r) __attribute__((always_inline)) {
      return w.scale_is_e8m0 ? power_bits(scales[at[r]]) : load_as<int32_t>(scales + 4 * at[r]);
    }));
  }
};

// ---- Products.

// One or two tiles of activations times a group of weights: the sums from column 0 on, or what the group adds to them.
// Registers: 0 to 3 sums, of two tiles of activations times two of weights; 4 and 5 activations; 6 and 7 weights.
template <int terms, int tiles>
void multiply_group(const Scratch& work, int blocks, const Bf16Rows& x, int64_t row, int64_t k, bool first,
                    Sums (*sums)[kWeightTiles]) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums[0][0], 64);
    _tile_loadd(1, sums[0][1], 64);
    if constexpr (tiles == 2) {
      _tile_loadd(2, sums[1][0], 64);
      _tile_loadd(3, sums[1][1], 64);
    }
  }
  const int64_t row_bytes = 2 * x.stride, below = kRows * x.stride;
  const uint16_t* values = x.values + row * x.stride + k;
  for (int b = 0; b < blocks; ++b, values += kBlockValues) {
    _tile_loadd(6, work.weights[0][b], 64);
    _tile_loadd(7, work.weights[1][b], 64);
#pragma GCC unroll 3
    for (int term = 0; term < terms; ++term) {
      const uint16_t* const at = values + term * x.term_stride;
      _tile_loadd(4, at, row_bytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (tiles == 2) {
        _tile_loadd(5, at + below, row_bytes);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
  }
  _tile_stored(0, sums[0][0], 64);
  _tile_stored(1, sums[0][1], 64);
  if constexpr (tiles == 2) {
    _tile_stored(2, sums[1][0], 64);
    _tile_stored(3, sums[1][1], 64);
  }
}

// sums += a segment's, times the factors of its rows of weights; or what they are then.
FATHOM_INLINE void add_segment(const Sums& segment, Floats factors, bool first, Sums& sums) {
  for (int i = 0; i < kRows; ++i) {
    const Floats before = first ? _mm512_setzero_ps() : load_floats(sums[i]);
    store_floats(sums[i], multiply_add(load_floats(segment[i]), factors, before));
  }
}

void store(const Sums (*sums)[kWeightTiles], int64_t rows, int64_t columns, float* y, int64_t y_stride) {
  for (int t = 0; t < kWeightTiles && t * kTileRows < columns; ++t) {
    const int64_t left = columns - t * kTileRows;
    const __mmask16 there = left >= kTileRows ? 0xffff : __mmask16((1u << left) - 1);
    for (int64_t i = 0; i < rows; ++i) {
      _mm512_mask_storeu_ps(y + i * y_stride + t * kTileRows, there, load_floats(sums[i / kRows][t][i % kRows]));
    }
  }
}

// 32 rows of weights from n on, columns [k, k + 32 * blocks), times rows [row, row + 16 * tiles) of activations.
template <typename Weights>
void add_group(Weights& weights, int64_t n, int64_t k, int blocks, int64_t ahead, const Bf16Rows& x, int64_t row, int64_t tiles,
               Scratch& work, Sums (*sums)[kWeightTiles]) {
  constexpr bool kExact = Weights::kTerms == kBf16Terms;
  const bool scaled = kExact && weights.w.scales;
  const int64_t starts[kWeightTiles] = {n, weights.last_row - n > kTileRows ? n + kTileRows : n};
  Floats factors[kWeightTiles];
  for (int t = 0; t < kWeightTiles; ++t) {
    weights.decode(starts[t], k, blocks, ahead, work.weights[t]);
    if constexpr (kExact) {
      if (scaled) factors[t] = weights.factors(starts[t], k);
    }
  }
  for (int64_t i = 0; i < tiles; i += 2) {
    const auto multiply = i + 1 < tiles ? multiply_group<Weights::kTerms, 2> : multiply_group<Weights::kTerms, 1>;
    multiply(work, blocks, x, row + i * kRows, k, scaled || k == 0, scaled ? work.segment : sums + i);
    if constexpr (kExact) {
      if (!scaled) continue;
      for (int64_t j = 0; j < 2 && i + j < tiles; ++j) {
        for (int t = 0; t < kWeightTiles; ++t) add_segment(work.segment[j][t], factors[t], k == 0, sums[i + j][t]);
      }
    }
  }
}

template <typename Weights>
void matmul(Weights&& weights, int64_t first_row, int64_t last_row, const Bf16Rows& x, int64_t m, void* scratch, float* y,
            int64_t y_stride) {
  const AmxRegisters registers(whole_tiles());
  Scratch& work = *static_cast<Scratch*>(scratch);
  const WeightRows& w = weights.w;
  constexpr bool kExact = Weights::kTerms == kBf16Terms;
  constexpr int64_t kTogether = kExact ? kExactPanel : kPanel;
  const int64_t group = kExact && w.scales ? kBf16Segment : kGroupValues;
  for (int64_t row = 0; row < m; row += kTogether) {
    const int64_t rows = m - row < kTogether ? m - row : kTogether, tiles = (rows + kRows - 1) / kRows;
    const int64_t chunk = kSums / tiles * kWeightRows;
    for (int64_t first = first_row; first < last_row; first += chunk) {
      const int64_t last = last_row - first < chunk ? last_row : first + chunk;
      const auto sums_of = [&](int64_t n) { return work.sums + (n - first) / kWeightRows * tiles; };
      for (int64_t k = 0; k < w.cols; k += group) {
        const int blocks = int((w.cols - k < group ? w.cols - k : group) / kBlockValues);
        for (int64_t n = first; n < last; n += kWeightRows) {
          // What comes next: the same columns of the next rows, or the next columns of the first.
          const bool another = n + kWeightRows < last;
          const int64_t ahead = another ? kWeightRows * w.row_bytes : Weights::group_bytes(blocks) - (n - first) * w.row_bytes;
          add_group(weights, n, k, blocks, ahead, x, row, tiles, work, sums_of(n));
        }
      }
      for (int64_t n = first; n < last; n += kWeightRows)
        store(sums_of(n), rows, last_row - n, y + row * y_stride + n, y_stride);
    }
  }
}

template <typename F>
void matmul_blocks(const WeightRows& w, int64_t first_row, int64_t last_row, const Bf16Rows& x, int64_t m, void* scratch,
                   float* y, int64_t y_stride) {
  if (w.interleaved)
    return matmul(BlockWeights<F, InterleavedTile>{w, last_row, {}}, first_row, last_row, x, m, scratch, y, y_stride);
  matmul(BlockWeights<F, StoredTile>{w, last_row, {}}, first_row, last_row, x, m, scratch, y, y_stride);
}

}  // namespace

// What the table is made of.
#define FATHOM_DEFINE(format, Name, ...)                                                                            \
  void matmul_bf16_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const Bf16Rows& x, int64_t m, \
                            void* scratch, float* y, int64_t y_stride) {                                            \
    matmul_blocks<Name>(w, first_row, last_row, x, m, scratch, y, y_stride);                                        \
  }
FATHOM_INTERLEAVED_FORMATS(FATHOM_DEFINE)
#undef FATHOM_DEFINE

#define FATHOM_DEFINE(format, Name, ...)                                                                            \
  void matmul_bf16_##format(const WeightRows& w, int64_t first_row, int64_t last_row, const Bf16Rows& x, int64_t m, \
                            void* scratch, float* y, int64_t y_stride) {                                            \
    matmul(FloatWeights<Name>{w, last_row}, first_row, last_row, x, m, scratch, y, y_stride);                       \
  }
FATHOM_DEFINE(bf16, BF16)
FATHOM_DEFINE(f8_e4m3, F8E4M3)
FATHOM_DEFINE(mxfp4, MXFP4Rows)
#undef FATHOM_DEFINE

void split_bf16(const float* x, int64_t n, uint16_t* out, int64_t term_stride) {
  for (int64_t k = 0; k < n; k += 16) {
    const __mmask16 lanes = n - k >= 16 ? 0xffff : __mmask16((1u << (n - k)) - 1);
    __m512 left = _mm512_maskz_loadu_ps(lanes, x + k);
#pragma GCC unroll 3
    for (int term = 0; term < kBf16Terms; ++term) {
      const __m256i nearest = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(left));
      _mm256_mask_storeu_epi16(out + term * term_stride + k, lanes, nearest);
      left = _mm512_sub_ps(left, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(nearest), 16)));
    }
  }
}

}  // namespace fathom::kernels::amx_int8
