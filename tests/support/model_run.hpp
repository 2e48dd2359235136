// Runs a prompt through a model by the public API and keeps all that came out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fathom/session.hpp"

namespace fathom::test {

// How a prompt is handed to a session.
struct Feeding {
  std::string name;
  std::int32_t chunk_rows = 512;
  bool one_by_one = false;     // append one token, step, append the next
  std::int64_t budget_us = 0;  // of each step; 0: none. Steps are repeated until the work is done
};

inline const Feeding kWholePrompt{"whole prompt", 512, false, 0};
inline const Feeding kTokenByToken{"token by token", 512, true, 0};

struct ModelRun {
  std::int64_t vocab_size = 0;
  std::vector<float> logits;  // [positions, vocab]: the prompt's, then those of generated tokens that were taken in
  std::vector<TokenId> generated;
  std::vector<Route> routes;

  std::int64_t positions() const { return std::int64_t(logits.size()) / vocab_size; }
  std::span<const float> row(std::int64_t position) const {
    return std::span(logits).subspan(std::size_t(position * vocab_size), std::size_t(vocab_size));
  }
};

// Takes in the prompt, then generates greedily; stop tokens do not end it.
ModelRun run_prompt(const Model& model, std::span<const TokenId> prompt, std::int64_t generate, const Feeding& feeding,
                    CacheFormat cache = CacheFormat::f32);

}  // namespace fathom::test
