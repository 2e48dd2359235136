// How the next token is chosen from the logits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fathom/tokenizer.hpp"

namespace fathom {

// Options of sampling, applied in this order: repetition, frequency and presence penalties; temperature; top_k; top_p; min_p;
// random draw.
struct SamplingOptions {
  float temperature = 0.0f;           // 0: the likeliest token after penalties; the other options then have no effect
  std::int32_t top_k = 0;             // keep the k likeliest; 0: all
  float top_p = 1.0f;                 // keep the smallest set whose probabilities reach top_p
  float min_p = 0.0f;                 // drop tokens less likely than min_p times the likeliest
  float repetition_penalty = 1.0f;    // above 1: logits of tokens seen are divided (positive) or multiplied (negative) by it
  float frequency_penalty = 0.0f;     // subtracted for each time the token was seen
  float presence_penalty = 0.0f;      // subtracted once if the token was seen
  std::int32_t penalty_window = 256;  // number of last tokens that count as seen, with the prompt
  std::uint64_t seed = 0;             // the same seed draws the same tokens from the same logits
};

struct StopOptions {
  bool at_stop_tokens = true;        // generation ends at the tokenizer's stop tokens (eos, end-of-turn markers)
  std::vector<TokenId> tokens;       // further stop tokens
  std::vector<std::string> strings;  // generation ends where one appears in the text, also across tokens
};

}  // namespace fathom
