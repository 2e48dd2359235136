// How the next token is chosen from the logits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fathom/tokenizer.hpp"

namespace fathom {

// Applied in this order: repetition, frequency and presence penalties; temperature; top_k; top_p; min_p; draw.
struct SamplingOptions {
  float temperature = 0.0f;           // 0: the likeliest token, nothing else below matters then but the penalties
  std::int32_t top_k = 0;             // keep the k likeliest; 0: all
  float top_p = 1.0f;                 // keep the smallest set whose probabilities reach top_p
  float min_p = 0.0f;                 // drop what is less likely than min_p times the likeliest
  float repetition_penalty = 1.0f;    // > 1: logits of tokens seen are divided (positive) or multiplied (negative) by it
  float frequency_penalty = 0.0f;     // subtracted once for each time a token was seen
  float presence_penalty = 0.0f;      // subtracted once if it was seen
  std::int32_t penalty_window = 256;  // how many of the last tokens count as seen, prompt included
  std::uint64_t seed = 0;             // the same seed draws the same tokens from the same logits
};

struct StopOptions {
  bool at_stop_tokens = true;        // the tokenizer's stop tokens (eos, end-of-turn markers)
  std::vector<TokenId> tokens;       // further ones
  std::vector<std::string> strings;  // generation ends where one appears in the text, also across token borders
};

}  // namespace fathom
