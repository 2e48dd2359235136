// What the processor can do, as reported by the processor (never by the build machine).
#pragma once

#include <string_view>

namespace fathom {

// In ascending order; a higher one includes the lower ones.
enum class Isa { scalar, avx2, avx512, avx512_vnni, avx512_bf16, amx_int8 };

// The best that this CPU and operating system support, up to `limit`. Where that is AMX, the system is asked to let this
// process use its registers, for good; a system that will not makes it one less.
Isa detect_isa(Isa limit = Isa::amx_int8) noexcept;
std::string_view isa_name(Isa isa) noexcept;  // "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"
// Throws Error{invalid_argument} listing the names.
Isa parse_isa(std::string_view name);

}  // namespace fathom
