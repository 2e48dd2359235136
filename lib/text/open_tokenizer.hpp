// The tokenizer a checkpoint carries, in the form its container has for it.
#pragma once

#include <memory>
#include <string>

#include "base/file_system.hpp"
#include "io/open.hpp"
#include "text/tokenizer.hpp"

namespace fathom::text {

bool has_tokenizer(const io::Checkpoint& checkpoint) noexcept;
// Throws Error{not_found} when the checkpoint has none.
std::unique_ptr<Tokenizer> open_tokenizer(const io::Checkpoint& checkpoint);
// The same from a path; a folder needs no weights for it.
std::unique_ptr<Tokenizer> open_tokenizer(FileSystem& files, const std::string& path);

}  // namespace fathom::text
