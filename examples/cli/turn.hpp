// One turn of a session: take in what was appended, then generate until something stops it; with the clock running.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/session.hpp"

namespace cli {

struct Turn {
  const char* stop = "";  // "stop_token", "stop_string", "context_full", "cancelled" or "max_tokens"
  bool cancelled = false;
  bool context_full = false;
  std::vector<fathom::TokenId> tokens;
  std::string text;
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  double prompt_ms = 0;      // taking in the prompt
  double generation_ms = 0;  // from the first generated token to the last, which is one token less

  double prompt_tokens_per_s() const;
  double generated_tokens_per_s() const;  // 0 for fewer than two tokens
};

// `on_text` gets the text in pieces of whole characters, as it comes. Ctrl-C ends the turn.
Turn run_turn(fathom::Session& session, std::int64_t max_tokens, const fathom::StopOptions& stop,
              const std::function<void(std::string_view)>& on_text);

// Speed and memory, for people, on stderr.
void print_stats(const Turn& turn, const fathom::Runtime& runtime);

}  // namespace cli
