// What a Model holds.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fathom/error.hpp"
#include "fathom/model.hpp"
#include "model/pass/network.hpp"
#include "run/pass_pool.hpp"
#include "run/runtime_impl.hpp"

namespace fathom {

struct Model::Impl {
  std::shared_ptr<Runtime::Impl> runtime;
  std::shared_ptr<const model::Network> network;
  std::unique_ptr<PassPool> passes;
  ModelInfo info;
  SamplingOptions recommended_sampling;
  std::optional<Tokenizer> tokenizer;
  std::optional<Error> tokenizer_fault;                    // why the checkpoint's tokenizer cannot be read
  std::vector<std::pair<std::string, std::string>> texts;  // metadata, in file order
  // Throws Error{io_error} when a file whose map is used has become too short to read it; before sessions and steps.
  void check_files() const;
  std::vector<std::uint64_t> mapped_ends;  // of each file
  // Made when it is first asked for: it reads a little of every tensor, which opening does not.
  const std::array<std::uint8_t, 32>& fingerprint() const;
  std::vector<TokenId> stop_tokens;  // the tokenizer's, the chat format's, and generation_config's

 private:
  mutable std::once_flag fingerprint_made_;
  mutable std::array<std::uint8_t, 32> fingerprint_{};
};

// The format a session's cache takes. Throws Error{invalid_argument}.
StorageFormat cache_storage(CacheFormat format, const model::Network& network);
// What CacheFormat::automatic means for the network.
CacheFormat automatic_cache(const model::Network& network);

}  // namespace fathom
