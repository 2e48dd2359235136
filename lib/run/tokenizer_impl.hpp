// What a Tokenizer holds.
#pragma once

#include <memory>

#include "fathom/tokenizer.hpp"
#include "text/tokenizer.hpp"

namespace fathom {

struct Tokenizer::Impl {
  std::unique_ptr<text::Tokenizer> tokenizer;
};

}  // namespace fathom
