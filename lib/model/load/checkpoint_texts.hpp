// What a checkpoint says of itself, as keys and texts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "io/open.hpp"

namespace fathom::model {

// Dotted keys of config.json, or a GGUF file's metadata keys; and "chat_template". Lists, nulls and long texts are left out.
std::vector<std::pair<std::string, std::string>> collect_texts(const io::Checkpoint& checkpoint);

}  // namespace fathom::model
