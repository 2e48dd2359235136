// Blocks of the quantised formats as integer codes with factors: what scalar integer products work on.
// A second reading of the layouts, beside lib/quant's, because kernels stand below nothing but base; tests hold them equal.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/float_types.hpp"

namespace fathom::kernels {

// value = scales[k / 16] * codes[k] + offsets[k / 16]
struct Unpacked {
  std::int8_t codes[256];
  float scales[16];
  float offsets[16] = {};
};

inline float load_f16(const std::uint8_t* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_f32(bits);
}

inline std::uint32_t load_u32(const std::uint8_t* at) {
  std::uint32_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

// One factor and offset for groups [first, first + count).
inline void set_groups(Unpacked& out, int first, int count, float scale, float offset = 0.0f) {
  for (int g = first; g < first + count; ++g) {
    out.scales[g] = scale;
    out.offsets[g] = offset;
  }
}

// Sixteen bytes of nibbles: the low ones are values 0-15, the high ones 16-31.
inline void split_nibbles(const std::uint8_t* qs, std::int8_t* codes) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = std::int8_t(qs[j] & 15);
    codes[j + 16] = std::int8_t(qs[j] >> 4);
  }
}

inline void add_fifth_bits(std::uint32_t qh, std::int8_t* codes) {
  for (int j = 0; j < 32; ++j) codes[j] = std::int8_t(codes[j] | int(qh >> j & 1) << 4);
}

inline void shift_codes(std::int8_t* codes, int by) {
  for (int j = 0; j < 32; ++j) codes[j] = std::int8_t(codes[j] + by);
}

inline void look_up(const std::int8_t (&levels)[16], std::int8_t* codes) {
  for (int j = 0; j < 32; ++j) codes[j] = levels[codes[j]];
}

inline constexpr std::int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// E2M1 values doubled, so that they are integers.
inline constexpr std::int8_t kTwiceE2M1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct Q4_0 {
  static constexpr int kValues = 32, kBytes = 18;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, load_f16(b));
    split_nibbles(b + 2, out.codes);
    shift_codes(out.codes, -8);
  }
};

struct Q4_1 {
  static constexpr int kValues = 32, kBytes = 20;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, load_f16(b), load_f16(b + 2));
    split_nibbles(b + 4, out.codes);
  }
};

struct Q5_0 {
  static constexpr int kValues = 32, kBytes = 22;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, load_f16(b));
    split_nibbles(b + 6, out.codes);
    add_fifth_bits(load_u32(b + 2), out.codes);
    shift_codes(out.codes, -16);
  }
};

struct Q5_1 {
  static constexpr int kValues = 32, kBytes = 24;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, load_f16(b), load_f16(b + 2));
    split_nibbles(b + 8, out.codes);
    add_fifth_bits(load_u32(b + 4), out.codes);
  }
};

struct Q8_0 {
  static constexpr int kValues = 32, kBytes = 34;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, load_f16(b));
    std::memcpy(out.codes, b + 2, 32);
  }
};

struct IQ4_NL {
  static constexpr int kValues = 32, kBytes = 18;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, load_f16(b));
    split_nibbles(b + 2, out.codes);
    look_up(kIq4Levels, out.codes);
  }
};

struct MXFP4 {
  static constexpr int kValues = 32, kBytes = 17;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_groups(out, 0, 2, 0.5f * e8m0_to_f32(b[0]));
    split_nibbles(b + 1, out.codes);
    look_up(kTwiceE2M1, out.codes);
  }
};

// Two-bit planes of Q2_K and Q3_K: group g of 16 lies in bits 2 (g / 2 % 4) of 16 of the 64 bytes.
inline int two_bit_code(const std::uint8_t* qs, int k) { return qs[32 * (k / 128) + k % 32] >> 2 * (k / 32 % 4) & 3; }

struct Q2_K {
  static constexpr int kValues = 256, kBytes = 84;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    const float d = load_f16(b + 80), dmin = load_f16(b + 82);
    for (int g = 0; g < 16; ++g) set_groups(out, g, 1, d * float(b[g] & 15), -dmin * float(b[g] >> 4));
    for (int k = 0; k < 256; ++k) out.codes[k] = std::int8_t(two_bit_code(b + 16, k));
  }
};

struct Q3_K {
  static constexpr int kValues = 256, kBytes = 110;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    const std::uint8_t* scales = b + 96;
    const float d = load_f16(b + 108);
    for (int g = 0; g < 16; ++g) {
      const int low = scales[g % 8] >> 4 * (g / 8) & 15, high = scales[8 + g % 4] >> 2 * (g / 4) & 3;
      set_groups(out, g, 1, d * float((low | high << 4) - 32));
    }
    for (int k = 0; k < 256; ++k) {
      const int high = b[k % 32] >> k / 32 & 1;
      out.codes[k] = std::int8_t(two_bit_code(b + 32, k) + 4 * high - 4);
    }
  }
};

// Scales and mins of Q4_K and Q5_K, from the twelve bytes `q`.
inline void set_k_groups(float d, float dmin, const std::uint8_t* q, Unpacked& out) {
  for (int g = 0; g < 8; ++g) {
    const int scale = g < 4 ? q[g] & 63 : (q[g + 4] & 15) | q[g - 4] >> 6 << 4;
    const int min = g < 4 ? q[g + 4] & 63 : q[g + 4] >> 4 | q[g] >> 6 << 4;
    set_groups(out, 2 * g, 2, d * float(scale), -dmin * float(min));
  }
}

struct Q4_K {
  static constexpr int kValues = 256, kBytes = 144;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_k_groups(load_f16(b), load_f16(b + 2), b + 4, out);
    for (int k = 0; k < 256; ++k) out.codes[k] = std::int8_t(b[16 + k / 64 * 32 + k % 32] >> 4 * (k / 32 % 2) & 15);
  }
};

struct Q5_K {
  static constexpr int kValues = 256, kBytes = 176;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    set_k_groups(load_f16(b), load_f16(b + 2), b + 4, out);
    for (int k = 0; k < 256; ++k) {
      const int low = b[48 + k / 64 * 32 + k % 32] >> 4 * (k / 32 % 2) & 15, high = b[16 + k % 32] >> k / 32 & 1;
      out.codes[k] = std::int8_t(low | high << 4);
    }
  }
};

struct Q6_K {
  static constexpr int kValues = 256, kBytes = 210;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    const float d = load_f16(b + 208);
    for (int g = 0; g < 16; ++g) set_groups(out, g, 1, d * float(std::int8_t(b[192 + g])));
    for (int k = 0; k < 256; ++k) {
      const int low = b[k / 128 * 64 + k % 64] >> 4 * (k / 64 % 2) & 15;
      const int high = b[128 + k / 128 * 32 + k % 32] >> 2 * (k / 32 % 4) & 3;
      out.codes[k] = std::int8_t((low | high << 4) - 32);
    }
  }
};

struct IQ4_XS {
  static constexpr int kValues = 256, kBytes = 136;
  static void unpack(const std::uint8_t* b, Unpacked& out) {
    const float d = load_f16(b);
    const int scales_high = b[2] | b[3] << 8;
    for (int g = 0; g < 8; ++g) {
      const int low = b[4 + g / 2] >> 4 * (g % 2) & 15, high = scales_high >> 2 * g & 3;
      set_groups(out, 2 * g, 2, d * float((low | high << 4) - 32));
      split_nibbles(b + 8 + 16 * g, out.codes + 32 * g);
      look_up(kIq4Levels, out.codes + 32 * g);
    }
  }
};

}  // namespace fathom::kernels
