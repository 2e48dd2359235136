// A session as bytes, and back. Little-endian; every number is checked before it is used for anything.
//
//   "fathomST"  version u32  cache format u32  fingerprint [32]  tokens i64  settled i64
//   the timeline, the sampler, the stops, the pending output, the logits (State, below)
//   the cache: page by page, layer by layer, part by part, the rows that are settled
//   XXH64 of all before it
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/xxh64.hpp"
#include "run/session_defaults.hpp"
#include "run/session_impl.hpp"

namespace fathom {
namespace {

constexpr std::array<char, 8> kMagic = {'f', 'a', 't', 'h', 'o', 'm', 'S', 'T'};
constexpr std::uint32_t kVersion = 2;
constexpr std::int64_t kMostText = std::int64_t{1} << 24;
constexpr std::int64_t kMostStops = 1 << 16;

// Both ends below have put(value), so that one list of fields serves writing, reading and measuring.
class Writer {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;
  explicit Writer(const Sink& sink) : sink_(sink) { held_.reserve(kHold); }

  static constexpr bool reads = false;
  void bytes(std::span<const std::byte> bytes) {
    hash_.update(bytes);
    if (held_.size() + bytes.size() > kHold) flush();
    if (bytes.size() >= kHold) {
      sink_(bytes);
    } else {
      held_.insert(held_.end(), bytes.begin(), bytes.end());
    }
  }
  void end() {
    const std::uint64_t sum = hash_.digest();
    bytes(std::as_bytes(std::span(&sum, 1)));
    flush();
  }

 private:
  static constexpr std::size_t kHold = 16384;  // so that a host is not called for every number
  void flush() {
    if (!held_.empty()) sink_(held_);
    held_.clear();
  }

  const Sink& sink_;
  std::vector<std::byte> held_;
  Xxh64 hash_;
};

class Measure {
 public:
  static constexpr bool reads = false;
  void bytes(std::span<const std::byte> bytes) { total += std::int64_t(bytes.size()); }
  void end() { total += std::int64_t(sizeof(std::uint64_t)); }
  std::int64_t total = 0;
};

class Reader {
 public:
  using Source = std::function<void(std::span<std::byte>)>;
  explicit Reader(const Source& source) : source_(source) {}

  static constexpr bool reads = true;
  void bytes(std::span<std::byte> bytes) {
    if (bytes.empty()) return;
    source_(bytes);
    hash_.update(bytes);
  }
  void end() {
    const std::uint64_t expected = hash_.digest();
    std::uint64_t found = 0;
    bytes(std::as_writable_bytes(std::span(&found, 1)));
    if (found != expected)
      fail(Status::corrupt_file, "the saved state is damaged: its checksum is {:016x}, expected {:016x}", found, expected);
  }

 private:
  const Source& source_;
  Xxh64 hash_;
};

template <typename Io, typename T>
void number(Io& io, T& value) {
  static_assert(std::is_arithmetic_v<std::remove_const_t<T>>);
  if constexpr (Io::reads) {
    io.bytes(std::as_writable_bytes(std::span(&value, 1)));
  } else {
    io.bytes(std::as_bytes(std::span(&value, 1)));
  }
}

// All of an array at once.
template <typename Io, typename T, std::size_t kSize>
void numbers(Io& io, std::array<T, kSize>& values) {
  if constexpr (Io::reads) {
    io.bytes(std::as_writable_bytes(std::span(values)));
  } else {
    io.bytes(std::as_bytes(std::span(values)));
  }
}

// A length from 0 to `most`, then the elements.
template <typename Io, typename List>
void list(Io& io, List& items, std::int64_t most, const char* what) {
  std::int64_t count = std::int64_t(items.size());
  number(io, count);
  if constexpr (Io::reads) {
    if (count < 0 || count > most)
      fail(Status::corrupt_file, "the saved state is damaged: {} {}, expected 0 to {}", count, what, most);
    items.resize(std::size_t(count));
    io.bytes(std::as_writable_bytes(std::span(items)));
  } else {
    io.bytes(std::as_bytes(std::span(items)));
  }
}

template <typename Io>
void flag(Io& io, bool& value) {
  std::uint8_t byte = value;
  number(io, byte);
  if (Io::reads && byte > 1) fail(Status::corrupt_file, "the saved state is damaged: a flag is {}", byte);
  value = byte == 1;
}

// All of a session but its cache.
struct State {
  std::uint32_t version = kVersion;
  std::uint32_t cache_format = 0;
  std::array<std::uint8_t, 32> fingerprint{};
  std::int64_t token_count = 0;
  std::int64_t settled = 0;

  std::vector<TokenId> tokens;
  std::int64_t drawn = -1;
  std::int32_t stopped = 0;
  SamplingOptions sampling;
  std::uint64_t random = 0;
  std::vector<TokenId> stop_tokens;
  GeneratedText::State text;
  std::vector<TokenId> new_tokens;
  std::int32_t top_logprobs = 0;
  std::vector<TokenLogprob> logprobs;
  std::vector<float> logits;  // [vocab], or none
};

template <typename Io>
void head(Io& io, State& s) {
  std::array<char, 8> magic = kMagic;
  numbers(io, magic);
  if (magic != kMagic)
    fail(Status::corrupt_file, "this is no saved session: it does not begin with '{}'",
         std::string_view(kMagic.data(), kMagic.size()));
  number(io, s.version);
  if (s.version != kVersion)
    fail(Status::unsupported, "the session was saved in version {} of the format, this library reads {}", s.version, kVersion);
  number(io, s.cache_format);
  numbers(io, s.fingerprint);
  number(io, s.token_count);
  number(io, s.settled);
}

template <typename Io>
void sampling(Io& io, SamplingOptions& o) {
  number(io, o.temperature);
  number(io, o.top_k);
  number(io, o.top_p);
  number(io, o.min_p);
  number(io, o.repetition_penalty);
  number(io, o.frequency_penalty);
  number(io, o.presence_penalty);
  number(io, o.penalty_window);
  number(io, o.seed);
}

template <typename Io>
void body(Io& io, State& s, std::int64_t context, std::int64_t vocab) {
  list(io, s.tokens, context, "tokens");
  number(io, s.drawn);
  number(io, s.stopped);
  sampling(io, s.sampling);
  number(io, s.random);
  list(io, s.stop_tokens, kMostStops, "stop tokens");
  std::int64_t strings = std::int64_t(s.text.stop_strings.size());
  number(io, strings);
  if constexpr (Io::reads) {
    if (strings < 0 || strings > kMostStops) fail(Status::corrupt_file, "the saved state is damaged: {} stop strings", strings);
    s.text.stop_strings.resize(std::size_t(strings));
  }
  for (std::string& each : s.text.stop_strings) list(io, each, kMostText, "bytes in a stop string");
  list(io, s.text.stream.pending, kMostText, "bytes of a character");
  flag(io, s.text.stream.at_start);
  list(io, s.text.pending, kMostText, "bytes of text");
  number(io, s.text.settled);
  flag(io, s.text.over);
  list(io, s.new_tokens, context, "new tokens");
  number(io, s.top_logprobs);
  list(io, s.logprobs, context * (1 + kMaxTopLogprobs), "probabilities");
  list(io, s.logits, vocab, "logits");
}

template <typename Io>
void rows(Io& io, const nn::KvCache& cache, std::int64_t settled) {
  for (std::int64_t first = 0; first < settled; first += nn::KvCache::kPageRows) {
    const std::int64_t count = std::min(nn::KvCache::kPageRows, settled - first);
    for (int layer = 0; layer < cache.layers(); ++layer) {
      for (int part = 0; part < cache.parts(layer); ++part)
        io.bytes(cache.stored_rows(layer, first / nn::KvCache::kPageRows, part, count));
    }
  }
}

State describe(const Timeline& s) {
  State state;
  state.cache_format = std::uint32_t(s.cache.format());
  state.fingerprint = s.model->fingerprint();
  state.tokens = s.tokens;
  state.token_count = std::int64_t(s.tokens.size());
  state.settled = s.settled();
  state.drawn = s.drawn;
  state.stopped = std::int32_t(s.stopped);
  state.sampling = s.sampler.options();
  state.random = s.sampler.random_state();
  state.stop_tokens = s.stop_tokens;
  state.text = s.text.state();
  state.new_tokens = s.new_tokens;
  state.top_logprobs = s.top_logprobs;
  state.logprobs = s.logprobs;
  if (s.logits_valid) state.logits = s.logits;
  return state;
}

template <typename Io>
void write(Io& io, const Timeline& s) {
  State state = describe(s);
  head(io, state);
  body(io, state, s.context, s.model->info.vocab_size);
  rows(io, s.cache, state.settled);
  io.end();
}

void check_head(const State& state, const Timeline& s) {
  if (state.fingerprint != s.model->fingerprint()) {
    fail(Status::invalid_argument, "the session was saved with another model than {}", s.model->info.path);
  }
  if (state.cache_format != std::uint32_t(s.cache.format())) {
    fail(Status::invalid_argument, "the session was saved with a cache of another format than this one's");
  }
  if (state.token_count > s.context) {
    fail(Status::context_full, "the saved session has {} tokens, this one has room for {}", state.token_count, s.context);
  }
  if (state.token_count < 0 || state.settled < 0 || state.settled > state.token_count) {
    fail(Status::corrupt_file, "the saved state is damaged: {} of {} tokens are in the cache", state.settled,
         state.token_count);
  }
}

void check_body(const State& state, const Timeline& s) {
  const auto holds = [](bool condition, const char* what) {
    if (!condition) fail(Status::corrupt_file, "the saved state is damaged: {}", what);
  };
  const std::int64_t vocab = s.model->info.vocab_size;
  const auto in_vocabulary = [&](TokenId id) { return id >= 0 && id < vocab; };
  holds(std::int64_t(state.tokens.size()) == state.token_count, "it has another number of tokens than it says");
  holds(std::all_of(state.tokens.begin(), state.tokens.end(), in_vocabulary), "a token is outside the vocabulary");
  holds(std::all_of(state.new_tokens.begin(), state.new_tokens.end(), in_vocabulary), "a new token is outside the vocabulary");
  holds(state.drawn >= -1 && state.drawn < state.token_count, "the last generated token is not in the timeline");
  holds(state.stopped >= 0 && state.stopped <= std::int32_t(StopReason::cancelled), "its stop reason is none");
  holds(state.logits.empty() || std::int64_t(state.logits.size()) == vocab, "it has logits for another vocabulary");
  holds(state.logits.empty() || state.settled > 0, "its logits are of no token");
  // without logits the last token must go through the model again
  holds(!state.logits.empty() || state.settled < state.token_count || state.token_count == 0, "its logits are missing");
  holds(state.top_logprobs >= 0 && state.top_logprobs <= kMaxTopLogprobs, "top_logprobs is out of range");
  holds(s.model->tokenizer || state.text.stop_strings.empty(), "it has stop strings, and the model no tokenizer");
  for (const std::string& each : state.text.stop_strings) holds(!each.empty(), "a stop string is empty");
}

}  // namespace

void Session::save(const std::function<void(std::span<const std::byte>)>& sink) const {
  Writer writer(sink);
  write(writer, impl_->timeline);
}

std::int64_t Session::saved_bytes() const {
  Measure measure;
  write(measure, impl_->timeline);
  return measure.total;
}

void Session::restore(const std::function<void(std::span<std::byte>)>& source) {
  Timeline& s = impl_->timeline;
  Reader reader(source);
  State state;
  head(reader, state);
  check_head(state, s);
  body(reader, state, s.context, s.model->info.vocab_size);
  nn::KvCache cache(s.model->network->cache_shape(s.cache.format()), s.context, *s.model->runtime->allocator);
  rows(reader, cache, state.settled);
  reader.end();
  check_body(state, s);
  Sampler checked(1, 1);
  checked.configure(state.sampling);
  state.tokens.reserve(std::size_t(s.context));
  state.new_tokens.reserve(std::size_t(s.context));

  // Nothing below fails.
  s.drop_rows();
  s.cache = std::move(cache);
  s.computed = state.settled;
  s.tokens = std::move(state.tokens);
  s.drawn = state.drawn;
  s.stopped = StopReason(state.stopped);
  s.sampler.configure(state.sampling);
  s.sampler.set_random_state(state.random);
  s.stop_tokens = std::move(state.stop_tokens);
  s.text.restore(std::move(state.text));
  s.new_tokens = std::move(state.new_tokens);
  s.top_logprobs = state.top_logprobs;
  s.logprobs = std::move(state.logprobs);
  s.routes.clear();
  s.totals.clear();
  s.logits_valid = !state.logits.empty();
  if (s.logits_valid) s.logits = std::move(state.logits);
  s.cancelled = false;
}

}  // namespace fathom
