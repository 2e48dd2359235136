// The version of the library that is linked, and of these headers.
#pragma once

#define FATHOM_VERSION_MAJOR 1
#define FATHOM_VERSION_MINOR 0
#define FATHOM_VERSION_PATCH 0

namespace fathom {

const char* version() noexcept;  // "1.0.0"

}  // namespace fathom
