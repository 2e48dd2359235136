// The public API as a program: bytes choose calls and their arguments, options and saved states among them. Whatever is called
// in whatever order, an error is a status with a sentence, and a session stays usable.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "base/xxh64.hpp"
#include "fathom/batch.hpp"
#include "fuzz/input_bytes.hpp"
#include "fuzz/tensor_oracle.hpp"

namespace {

using fathom::fuzz::require;
using namespace fathom;

const Model& small_model() {
  static const Model model = [] {
    RuntimeOptions options;
    options.threads = 1;
    return Model::open(Runtime(options), FATHOM_TEST_DATA "/deepseek-v3");
  }();
  return model;
}

using Bytes = fathom::fuzz::InputBytes;

SamplingOptions sampling(Bytes& in) {
  SamplingOptions o;
  o.temperature = in.take<float>();
  o.top_k = in.take<std::int32_t>();
  o.top_p = in.take<float>();
  o.min_p = in.take<float>();
  o.repetition_penalty = in.take<float>();
  o.penalty_window = in.take<std::int16_t>();
  o.seed = in.take<std::uint8_t>();
  return o;
}

std::vector<TokenId> tokens(Bytes& in) {
  std::vector<TokenId> ids(in.take<std::uint8_t>() % 40);
  for (TokenId& id : ids) id = in.take<std::uint8_t>() == 255 ? in.take<std::int32_t>() : in.take<std::uint8_t>();
  return ids;
}

std::vector<std::byte> save(const Session& session) {
  std::vector<std::byte> out;
  session.save([&](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); });
  require(std::int64_t(out.size()) == session.saved_bytes());
  return out;
}

// Restores a state some of whose bytes are changed; with a right checksum half of the time, so that what is behind it is read.
void restore_changed(Session& session, std::vector<std::byte> state, Bytes& in) {
  for (int i = in.take<std::uint8_t>() % 4; i > 0; --i) state[in.take<std::uint16_t>() % state.size()] = in.take<std::byte>();
  if ((in.take<std::uint8_t>() & 1) != 0) {
    Xxh64 hash;
    hash.update(std::span(state).first(state.size() - 8));
    const std::uint64_t sum = hash.digest();
    std::memcpy(state.data() + state.size() - 8, &sum, 8);
  }
  std::size_t at = 0;
  session.restore([&](std::span<std::byte> out) {
    if (out.size() > state.size() - at) throw Error(Status::io_error, "the state is at an end");
    std::memcpy(out.data(), state.data() + at, out.size());
    at += out.size();
  });
}

void call(std::vector<std::unique_ptr<Session>>& sessions, Batch& batch, Bytes& in) {
  Session& s = *sessions[in.take<std::uint8_t>() % sessions.size()];
  Session& other = *sessions[in.take<std::uint8_t>() % sessions.size()];
  switch (in.take<std::uint8_t>() % 14) {
    case 0:
      s.append(tokens(in));
      break;
    case 1:
      s.step({.budget_us = in.take<std::uint8_t>(), .max_new_tokens = in.take<std::int8_t>()});
      break;
    case 2:
      s.rewind(in.take<std::int8_t>());
      break;
    case 3:
      s.sync(tokens(in));
      break;
    case 4:
      s.set_sampling(sampling(in));
      break;
    case 5:
      s.set_stop({(in.take<std::uint8_t>() & 1) != 0, tokens(in), {}});
      break;
    case 6:
      s.reset();
      break;
    case 7:
      s.cancel();
      break;
    case 8:
      restore_changed(s, save(other), in);
      break;
    case 9:
      batch.add(s);
      break;
    case 10:
      batch.remove(s);
      break;
    case 11:
      batch.step({.budget_us = in.take<std::uint8_t>(), .max_new_tokens = in.take<std::int8_t>()});
      break;
    case 12:
      if (sessions.size() < 6) sessions.push_back(std::make_unique<Session>(s.fork()));
      break;
    default:
      s.take_text();
      s.take_tokens();
      require(std::int64_t(s.tokens().size()) <= s.context_length());
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in(data, std::min<std::size_t>(size, 600));
  std::vector<std::unique_ptr<Session>> sessions;
  SessionOptions options;
  options.context_length = 48;
  options.chunk_rows = 16;
  Batch batch(small_model(), {.rows = 8, .sessions = 3});
  for (int i = 0; i < 3; ++i) sessions.push_back(std::make_unique<Session>(small_model(), options));
  while (!in.empty()) {
    try {
      call(sessions, batch, in);
    } catch (const Error& error) {
      require(!error.message().empty() && error.status() != Status::internal);
    }
  }
  // whatever happened: a reset session works
  for (auto& session : sessions) {
    session->reset();
    session->set_sampling({});
    session->set_stop({.at_stop_tokens = false});
    session->append(std::vector<TokenId>{1, 2, 3});
    require(session->step({.max_new_tokens = 1}).new_tokens == 1);
  }
  return 0;
}
