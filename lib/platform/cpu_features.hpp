// What the processor can do, as reported by the processor (never by the build machine).
#pragma once

#include <string_view>

namespace fathom {

// In ascending order; a higher one includes the lower ones.
enum class Isa { scalar, avx2, avx512, avx512_vnni, avx512_bf16 };

Isa detect_isa() noexcept;                        // the best this CPU and operating system support
std::string_view isa_name(Isa isa) noexcept;      // "scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16"
// Throws Error{invalid_argument} listing the names.
Isa parse_isa(std::string_view name);

}  // namespace fathom
