// CPUID says what the processor can do, XGETBV which of its registers the operating system saves: both are needed.
#include "platform/cpu_features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace fathom {
namespace {

// In the order of Isa.
constexpr std::string_view kNames[] = {"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"};

#if defined(__x86_64__)

struct CpuidLeaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// All zeros when the processor has no such leaf.
CpuidLeaf cpuid(unsigned leaf, unsigned subleaf) noexcept {
  CpuidLeaf r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return {};
  return r;
}

constexpr bool bit(unsigned word, int index) { return (word >> index) & 1u; }

// XCR0: which register states the system saves on a context switch. Callable only when CPUID.1:ECX.OSXSAVE is set.
unsigned saved_states() noexcept {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

Isa detect_x86() noexcept {
  constexpr unsigned kYmmStates = 0x06;  // SSE and AVX
  constexpr unsigned kZmmStates = 0xe6;  // and opmask, upper halves of zmm0-15, zmm16-31

  const CpuidLeaf basic = cpuid(1, 0);
  const bool os_saves = bit(basic.ecx, 27);
  const unsigned states = os_saves ? saved_states() : 0;
  const CpuidLeaf extended = cpuid(7, 0);

  const bool fma = bit(basic.ecx, 12), avx = bit(basic.ecx, 28), f16c = bit(basic.ecx, 29), avx2 = bit(extended.ebx, 5);
  if ((states & kYmmStates) != kYmmStates || !fma || !avx || !f16c || !avx2) return Isa::scalar;

  const bool f = bit(extended.ebx, 16), dq = bit(extended.ebx, 17), bw = bit(extended.ebx, 30), vl = bit(extended.ebx, 31);
  if ((states & kZmmStates) != kZmmStates || !f || !dq || !bw || !vl) return Isa::avx2;

  const bool vnni = bit(extended.ecx, 11);
  if (!vnni) return Isa::avx512;
  const bool bf16 = extended.eax >= 1 && bit(cpuid(7, 1).eax, 5);
  if (!bf16) return Isa::avx512_vnni;

  constexpr unsigned kTileStates = 0x60000;
  const bool tile = bit(extended.edx, 24), int8 = bit(extended.edx, 25), tile_bf16 = bit(extended.edx, 22);
  return (states & kTileStates) == kTileStates && tile && int8 && tile_bf16 ? Isa::amx_int8 : Isa::avx512_bf16;
}

// Tile registers make a thread's saved state larger, so Linux lets a process use them only when it asks (its
// arch/x86/xstate.rst).
bool may_use_tiles() noexcept {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

#endif

}  // namespace

Isa detect_isa([[maybe_unused]] Isa limit) noexcept {
#if defined(__x86_64__)
  const Isa best = std::min(limit, detect_x86());
  return best == Isa::amx_int8 && !may_use_tiles() ? Isa::avx512_bf16 : best;
#else
  return Isa::scalar;
#endif
}

std::string_view isa_name(Isa isa) noexcept { return kNames[int(isa)]; }

Isa parse_isa(std::string_view name) {
  for (int i = 0; i < int(std::size(kNames)); ++i) {
    if (kNames[i] == name) return Isa(i);
  }
  fail(Status::invalid_argument, "unknown instruction set '{}', expected one of {}", name, fmt::join(kNames, ", "));
}

}  // namespace fathom
