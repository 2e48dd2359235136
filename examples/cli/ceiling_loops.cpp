// Each function carries the instruction set it is made of, and is only handed out where the CPU has it.
#include "ceiling_loops.hpp"

#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace cli {
namespace {

// For any CPU: the compiler's own vectors.
std::uint64_t read_portable(const std::byte* data, std::size_t bytes) {
  std::uint64_t sums[8] = {};
  for (std::size_t at = 0; at < bytes; at += sizeof sums) {
    std::uint64_t words[8];
    std::memcpy(words, data + at, sizeof words);
    for (int i = 0; i < 8; ++i) sums[i] ^= words[i];
  }
  std::uint64_t all = 0;
  for (const std::uint64_t sum : sums) all ^= sum;
  return all;
}

std::uint64_t read_portable_streams(const std::byte* data, std::size_t bytes) {
  const std::size_t quarter = bytes / 4;
  std::uint64_t all = 0;
  for (std::size_t at = 0; at < quarter; at += 64) {
    for (std::size_t stream = 0; stream < 4; ++stream) {
      std::uint64_t words[8];
      std::memcpy(words, data + stream * quarter + at, sizeof words);
      for (const std::uint64_t word : words) all ^= word;
    }
  }
  return all;
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) std::uint64_t read_avx2(const std::byte* data, std::size_t bytes) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (std::size_t at = 0; at < bytes; at += 128) {
    const auto* p = reinterpret_cast<const __m256i*>(data + at);
    a = _mm256_xor_si256(a, _mm256_load_si256(p));
    b = _mm256_xor_si256(b, _mm256_load_si256(p + 1));
    c = _mm256_xor_si256(c, _mm256_load_si256(p + 2));
    d = _mm256_xor_si256(d, _mm256_load_si256(p + 3));
  }
  a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
  const __m128i half = _mm_xor_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(half) ^ _mm_extract_epi64(half, 1));
}

__attribute__((target("avx2"))) std::uint64_t read_avx2_streams(const std::byte* data, std::size_t bytes) {
  const std::size_t quarter = bytes / 4;
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (std::size_t at = 0; at < quarter; at += 64) {
    const auto pair = [&](std::size_t stream) __attribute__((target("avx2"))) {
      const auto* p = reinterpret_cast<const __m256i*>(data + stream * quarter + at);
      return _mm256_xor_si256(_mm256_load_si256(p), _mm256_load_si256(p + 1));
    };
    a = _mm256_xor_si256(a, pair(0));
    b = _mm256_xor_si256(b, pair(1));
    c = _mm256_xor_si256(c, pair(2));
    d = _mm256_xor_si256(d, pair(3));
  }
  a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
  const __m128i half = _mm_xor_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(half) ^ _mm_extract_epi64(half, 1));
}

// gcc 12 warns of its own reductions.
__attribute__((target("avx512f"))) std::uint64_t fold(__m512i sums) {
  std::uint64_t words[8], all = 0;
  _mm512_storeu_si512(words, sums);
  for (const std::uint64_t word : words) all ^= word;
  return all;
}

__attribute__((target("avx512f"))) std::uint64_t read_avx512(const std::byte* data, std::size_t bytes) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (std::size_t at = 0; at < bytes; at += 256) {
    const std::byte* p = data + at;
    a = _mm512_xor_si512(a, _mm512_load_si512(p));
    b = _mm512_xor_si512(b, _mm512_load_si512(p + 64));
    c = _mm512_xor_si512(c, _mm512_load_si512(p + 128));
    d = _mm512_xor_si512(d, _mm512_load_si512(p + 192));
  }
  a = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
  return fold(a);
}

__attribute__((target("avx512f"))) std::uint64_t read_avx512_streams(const std::byte* data, std::size_t bytes) {
  const std::size_t quarter = bytes / 4;
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (std::size_t at = 0; at < quarter; at += 64) {
    const std::byte* p = data + at;
    a = _mm512_xor_si512(a, _mm512_load_si512(p));
    b = _mm512_xor_si512(b, _mm512_load_si512(p + quarter));
    c = _mm512_xor_si512(c, _mm512_load_si512(p + 2 * quarter));
    d = _mm512_xor_si512(d, _mm512_load_si512(p + 3 * quarter));
  }
  a = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
  return fold(a);
}

// Registers by name: left to itself a compiler puts copies between them. Each round has enough independent sums to hide what an
// instruction takes; their values do not matter.
#define CLI_TWELVE(one) one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11)
#define CLI_TWENTY(one) CLI_TWELVE(one) one(12) one(13) one(14) one(15) one(16) one(17) one(18) one(19)
#define CLI_YMM                                                                                                                \
  "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", \
      "ymm15", "cc"
#define CLI_ZMM                                                                                                                \
  "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", \
      "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm30", "zmm31", "cc"

#define CLI_ZERO_ZMM(i) "vpxord %%zmm" #i ", %%zmm" #i ", %%zmm" #i "\n\t"
#define CLI_ZMM_LOOP(one) \
  asm volatile(CLI_TWENTY(CLI_ZERO_ZMM) CLI_ZERO_ZMM(30) CLI_ZERO_ZMM(31) "1:\n\t" CLI_TWENTY(one) "dec %0\n\t" \
               "jnz 1b\n\t" : "+r"(rounds) : : CLI_ZMM)
#define CLI_VNNI(i) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define CLI_BF16(i) "vdpbf16ps %%zmm30, %%zmm31, %%zmm" #i "\n\t"
#define CLI_FMA512(i) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #i "\n\t"

__attribute__((target("avx512f,avx512vnni"))) void dot_avx512_vnni(std::int64_t rounds) { CLI_ZMM_LOOP(CLI_VNNI); }
__attribute__((target("avx512f,avx512bf16"))) void dot_avx512_bf16(std::int64_t rounds) { CLI_ZMM_LOOP(CLI_BF16); }
__attribute__((target("avx512f"))) void dot_avx512_f32(std::int64_t rounds) { CLI_ZMM_LOOP(CLI_FMA512); }

#define CLI_ZERO_YMM(i) "vpxor %%ymm" #i ", %%ymm" #i ", %%ymm" #i "\n\t"
#define CLI_YMM_LOOP(body)                                                                                                \
  asm volatile(CLI_TWELVE(CLI_ZERO_YMM) CLI_ZERO_YMM(12) CLI_ZERO_YMM(13) CLI_ZERO_YMM(14) CLI_ZERO_YMM(15) "1:\n\t" body \
                                                                                                            "dec %0\n\t"  \
                                                                                                            "jnz 1b\n\t"  \
               : "+r"(rounds)                                                                                             \
               :                                                                                                          \
               : CLI_YMM)
#define CLI_FMA256(i) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #i "\n\t"
#define CLI_AVX_VNNI(i) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #i "\n\t"
// Without VNNI: four products of bytes summed in 16 bits, which is as many as weights of five bits allow, then once into 32
// bits.
#define CLI_MADDUBS(sum)                                                                                                   \
  "vpmaddubsw %%ymm14, %%ymm15, %%ymm8\n\tvpmaddubsw %%ymm14, %%ymm15, %%ymm9\n\tvpmaddubsw %%ymm14, %%ymm15, %%ymm10\n\t" \
  "vpmaddubsw %%ymm14, %%ymm15, %%ymm11\n\tvpaddw %%ymm8, %%ymm9, %%ymm9\n\tvpaddw %%ymm10, %%ymm11, %%ymm11\n\t"          \
  "vpaddw %%ymm9, %%ymm11, %%ymm11\n\tvpmaddwd %%ymm13, %%ymm11, %%ymm11\n\tvpaddd %%ymm11, %%ymm" #sum ", %%ymm" #sum "\n\t"

__attribute__((target("avx2,fma"))) void dot_avx2_f32(std::int64_t rounds) { CLI_YMM_LOOP(CLI_TWELVE(CLI_FMA256)); }
__attribute__((target("avx2"))) void dot_avx2_vnni(std::int64_t rounds) { CLI_YMM_LOOP(CLI_TWELVE(CLI_AVX_VNNI)); }
__attribute__((target("avx2"))) void dot_avx2_int8(std::int64_t rounds) {
  CLI_YMM_LOOP(CLI_MADDUBS(0) CLI_MADDUBS(1) CLI_MADDUBS(2) CLI_MADDUBS(3));
}

// AMX: tiles of 16 rows of 64 bytes, four of them sums.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
};

void dot_amx_bf16(std::int64_t rounds) {
  const TileShapes shapes;
  asm volatile(
      "ldtilecfg %1\n\ttilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\ttilezero %%tmm4\n\ttilezero "
      "%%tmm5\n\t"
      "1:\n\ttdpbf16ps %%tmm5, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm5, %%tmm4, %%tmm1\n\ttdpbf16ps %%tmm5, %%tmm4, %%tmm2\n\t"
      "tdpbf16ps %%tmm5, %%tmm4, %%tmm3\n\tdec %0\n\tjnz 1b\n\ttilerelease"
      : "+r"(rounds)
      : "m"(shapes)
      : "cc");
}

// Linux lets a process use tiles when it asks.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool there = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1);
  return there && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// Compilers of the day have no name for it.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

#endif

}  // namespace

ReadLoops read_loops() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {read_avx512, read_avx512_streams};
  if (__builtin_cpu_supports("avx2")) return {read_avx2, read_avx2_streams};
#endif
  return {read_portable, read_portable_streams};
}

DotLoop int8_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni")) return {"AVX-512 VNNI", dot_avx512_vnni, 20 * 64};
  if (has_avx_vnni()) return {"AVX-VNNI", dot_avx2_vnni, 12 * 32};
  if (__builtin_cpu_supports("avx2")) return {"AVX2 maddubs", dot_avx2_int8, 4 * 4 * 32};
#endif
  return {};
}

DotLoop bf16_loop() {
#if defined(__x86_64__)
  if (may_use_tiles()) return {"AMX", dot_amx_bf16, 4 * 16 * 16 * 32};
  if (__builtin_cpu_supports("avx512bf16")) return {"AVX-512 BF16", dot_avx512_bf16, 20 * 32};
#endif
  return {};
}

DotLoop f32_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {"AVX-512 FMA", dot_avx512_f32, 20 * 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"AVX2 FMA", dot_avx2_f32, 12 * 8};
#endif
  return {};
}

}  // namespace cli
