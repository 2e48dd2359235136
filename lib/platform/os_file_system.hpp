// Files of the operating system, mapped read-only where possible.
#pragma once

#include "base/file_system.hpp"

namespace fathom {

FileSystem& os_file_system() noexcept;

}  // namespace fathom
