// The tokenizer a checkpoint carries.
#pragma once

#include "fathom/tokenizer.hpp"

namespace fathom::io {
struct Checkpoint;
}

namespace fathom {

bool has_tokenizer(const io::Checkpoint& checkpoint);
// Throws Error{not_found} when the checkpoint has none.
Tokenizer open_tokenizer(const io::Checkpoint& checkpoint);

}  // namespace fathom
