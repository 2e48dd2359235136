// Logarithms of probabilities, for those who want to see what else the model would have said.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fathom/session.hpp"

namespace fathom {

// Appends 1 + n entries: `chosen`, then the n likeliest tokens by falling logit, the lower id first among equals. When there
// are fewer tokens than n the last ones repeat with a probability of 0. NaN counts as minus infinity.
void append_logprobs(std::span<const float> logits, TokenId chosen, std::int32_t n, std::vector<TokenLogprob>& out);

}  // namespace fathom
