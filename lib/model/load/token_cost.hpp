// What a network's matrices cost a token: what a measured speed is held against.
#pragma once

#include <cstdint>

namespace fathom::model {

struct Network;

// Of matrices; vectors (norms, biases) are too small to count. A mixture layer counts experts_per_token times the mean of its
// experts, and its shared ones.
struct TokenCost {
  std::int64_t bytes = 0;          // read for one token by itself, as stored, with one row of the embedding
  std::int64_t expert_bytes = 0;   // of these, of routed experts
  std::int64_t multiply_adds = 0;  // without the head: a prompt needs that for its last token only
  std::int64_t head_multiply_adds = 0;
};

TokenCost token_cost(const Network& network);

}  // namespace fathom::model
