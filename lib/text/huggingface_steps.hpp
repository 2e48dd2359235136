// The normalizer, pre_tokenizer and decoder sections of tokenizer.json.
#pragma once

#include <string>
#include <vector>

#include "text/json_node.hpp"
#include "text/normalizer.hpp"
#include "text/pretokenizer.hpp"

namespace fathom::text {

// All three throw Error{unsupported} for component types fathom does not have, and Error{corrupt_file} for nonsense.
void read_normalizer(const JsonNode& node, Normalizer& normalizer);

// True when the pieces are then written in the byte alphabet.
bool read_pre_tokenizer(const JsonNode& node, PreTokenizer& pre_tokenizer);

struct Decoder {
  bool byte_level = false;
  bool byte_fallback = false;
  bool strips_leading_space = false;
  std::vector<ReplaceLiteral> replacements;  // in each token
};
Decoder read_decoder(const JsonNode& node);

}  // namespace fathom::text
