#include "platform/cpu_features.hpp"

#include <doctest/doctest.h>

#include <string>

#include "base/error.hpp"

using namespace fathom;

TEST_CASE("every instruction set is found again by its name") {
  for (const Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::avx512_bf16, Isa::amx_int8}) {
    CHECK(parse_isa(isa_name(isa)) == isa);
  }
}

TEST_CASE("an unknown instruction set is refused with the list of known ones") {
  for (const char* name : {"", "AVX2", "avx", "avx512 ", "neon"}) {
    CAPTURE(name);
    try {
      parse_isa(name);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.status() == Status::invalid_argument);
      CHECK(error.message().find("'" + std::string(name) + "'") != std::string::npos);
      CHECK(error.message().find("scalar, avx2, avx512, avx512_vnni, avx512_bf16, amx_int8") != std::string::npos);
    }
  }
}

#if defined(__x86_64__)
TEST_CASE("the detected instruction set agrees with the compiler's own detection") {
  const Isa isa = detect_isa();
  CHECK((isa >= Isa::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
  CHECK((isa >= Isa::avx512) == (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")));
  CHECK((isa >= Isa::avx512_vnni) == (isa >= Isa::avx512 && __builtin_cpu_supports("avx512vnni")));
  CHECK((isa >= Isa::avx512_bf16) == (isa >= Isa::avx512_vnni && __builtin_cpu_supports("avx512bf16")));
}
#endif
