// What a Model holds.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fathom/model.hpp"
#include "model/network.hpp"
#include "run/runtime_impl.hpp"

namespace fathom {

struct Model::Impl {
  std::shared_ptr<Runtime::Impl> runtime;
  std::shared_ptr<const model::Network> network;
  ModelInfo info;
  std::optional<Tokenizer> tokenizer;
  std::vector<std::pair<std::string, std::string>> texts;  // metadata, in file order
  std::array<std::uint8_t, 32> fingerprint{};
  std::vector<TokenId> stop_tokens;  // the tokenizer's, the chat format's, and generation_config's
};

// The format a session's cache takes. Throws Error{invalid_argument}.
StorageFormat cache_storage(CacheFormat format, const model::Network& network);

}  // namespace fathom
