// Paths in a checkpoint's folder, and its small text files.
#pragma once

#include <string>
#include <string_view>

#include "base/file_system.hpp"

namespace fathom::io {

// "folder/name"; the folder may end in a slash.
std::string join(std::string_view folder, std::string_view name);

// "a/b" of "a/b/c", "." of "c".
std::string folder_of(std::string_view path);

// The whole file. Throws as FileSystem and File do, and Error{corrupt_file} when it is larger than any such file has reason to
// be.
std::string read_text(FileSystem& files, const std::string& path);

}  // namespace fathom::io
