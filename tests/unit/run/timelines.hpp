// Models and sessions that the tests of sessions, batches and saved states share. Runtimes are invariant, so that equal
// timelines mean equal bits.
#pragma once

#include <string>
#include <vector>

#include "fathom/session.hpp"
#include "unit/model/memory_checkpoint.hpp"

namespace fathom::test {

// DeepSeek-, Llama- and Mixtral-shaped.
inline const std::vector<std::string> kShapes = {"deepseek-v3", "llama3", "mixtral"};

inline Model open_fixture(const std::string& name, Host host = {}) {
  RuntimeOptions options;
  options.host = host;
  options.threads = 2;
  options.invariant = true;
  return Model::open(Runtime(options), fixture_folder(name));
}

inline std::vector<TokenId> prompt_of(std::int64_t length, std::int64_t seed = 11) {
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < length; ++i) ids.push_back(TokenId((i * 37 + seed) % 320));
  return ids;
}

inline SessionOptions endless(std::int64_t context = 400) {
  SessionOptions options;
  options.context_length = context;
  options.stop.at_stop_tokens = false;
  return options;
}

// `count` tokens after the prompt, by a session of its own.
inline std::vector<TokenId> continuation(const Model& model, std::vector<TokenId> prompt, std::int64_t count,
                                         const SessionOptions& options = endless()) {
  Session session(model, options);
  session.append(prompt);
  session.step({.max_new_tokens = count});
  return session.take_tokens();
}

}  // namespace fathom::test
