// What a Tokenizer holds.
#pragma once

#include <memory>

#include "fathom/tokenizer.hpp"
#include "text/tokenizer.hpp"

namespace fathom {

struct Tokenizer::Impl {
  explicit Impl(std::unique_ptr<text::Tokenizer> inner) : tokenizer(std::move(inner)) {}
  std::unique_ptr<text::Tokenizer> tokenizer;
};

}  // namespace fathom
