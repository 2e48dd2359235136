#include "bench_runs.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>

namespace cli {
namespace {

using Clock = std::chrono::steady_clock;
using fathom::Model;
using fathom::PartTimes;
using fathom::Session;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), the finaliser.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void add_difference(PartTimes& sum, const PartTimes& after, const PartTimes& before) {
  sum.attention_us += after.attention_us - before.attention_us;
  sum.router_us += after.router_us - before.router_us;
  sum.experts_us += after.experts_us - before.experts_us;
  sum.mlp_us += after.mlp_us - before.mlp_us;
  sum.head_us += after.head_us - before.head_us;
  sum.other_us += after.other_us - before.other_us;
}

fathom::SessionOptions session_options(const BenchSettings& settings) {
  fathom::SessionOptions options;
  options.context_length = settings.context;
  options.cache = settings.cache;
  options.chunk_rows = settings.chunk_rows;
  return options;
}

// One session that steps by itself, or many in a batch.
class Generators {
 public:
  Generators(const Model& model, const BenchSettings& settings, int count) : traces_(count > 1 && model.info().experts > 0) {
    fathom::SessionOptions options = session_options(settings);
    if (count > 1) {
      options.chunk_rows = 1;  // the batch's pass does the work
      options.trace_routes = traces_;
      batch_.emplace(model, fathom::BatchOptions{.rows = count, .sessions = count});
    }
    for (int i = 0; i < count; ++i) sessions_.push_back(std::make_unique<Session>(model, options));
    if (!batch_) return;
    for (auto& session : sessions_) batch_->add(*session);
  }

  std::vector<std::unique_ptr<Session>>& sessions() { return sessions_; }
  PartTimes part_times() const { return batch_ ? batch_->part_times() : sessions_.front()->part_times(); }

  // Takes in what is queued.
  void step() {
    if (!batch_) {
      sessions_.front()->step({.max_new_tokens = 0});
      return;
    }
    if (batch_->step({.max_new_tokens = 0}).failed == 0) return;
    for (const auto& session : sessions_) {
      if (const auto& error = batch_->last_result(*session).error) throw *error;
    }
  }

  // Back to `depth` tokens, with the logits of the last.
  void rewind(std::int64_t depth) {
    for (auto& session : sessions_) session->rewind(depth);
    if (depth > 0) step();
    if (!traces_) return;
    for (auto& session : sessions_) session->take_routes();
  }

  // Experts that the tokens since rewind() chose, those of a joint pass that chose the same counted once, over the choices of
  // one session.
  double experts_read() {
    if (!traces_) return 1;
    std::set<std::tuple<std::int64_t, std::int32_t, std::int32_t>> read;  // position, layer, expert
    std::size_t chosen = 0;
    for (auto& session : sessions_) {
      for (const fathom::Route& route : session->take_routes()) {
        for (const std::int32_t expert : route.experts) read.emplace(route.position, route.layer, expert);
        chosen += route.experts.size();
      }
    }
    return static_cast<double>(read.size() * sessions_.size()) / static_cast<double>(chosen);
  }

 private:
  bool traces_;
  std::vector<std::unique_ptr<Session>> sessions_;  // members outlive the batch
  std::optional<fathom::Batch> batch_;
};

}  // namespace

std::vector<fathom::TokenId> random_tokens(std::uint64_t seed, std::int64_t text, std::int64_t first, std::int64_t count,
                                           std::int64_t vocab_size) {
  std::vector<fathom::TokenId> ids;
  const std::uint64_t start = mix(mix(seed) ^ static_cast<std::uint64_t>(text));
  for (std::int64_t i = first; i < first + count; ++i) {
    ids.push_back(
        static_cast<fathom::TokenId>(mix(start + static_cast<std::uint64_t>(i)) % static_cast<std::uint64_t>(vocab_size)));
  }
  return ids;
}

FilledContexts::FilledContexts(const Model& model, const BenchSettings& settings, const std::vector<std::int64_t>& depths) {
  for (const std::int64_t depth : depths) {
    if (depth > 0) files_[depth];
  }
  if (files_.empty()) return;
  Session session(model, session_options(settings));
  std::int64_t filled = 0;
  for (auto& entry : files_) {  // ascending
    session.append(random_tokens(settings.seed, 0, filled, entry.first - filled, model.info().vocab_size));
    session.step({.max_new_tokens = 0});
    filled = entry.first;
    std::FILE* file = std::tmpfile();
    if (!file) throw std::runtime_error("there is no room for temporary files");
    entry.second.reset(file);
    session.save([&](std::span<const std::byte> bytes) {
      if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) {
        throw std::runtime_error("a context of " + std::to_string(filled) + " tokens does not fit into a temporary file");
      }
    });
  }
}

void FilledContexts::restore(std::int64_t depth, Session& session) const {
  if (depth == 0) return;
  std::FILE* file = files_.at(depth).get();
  std::rewind(file);
  session.restore([&](std::span<std::byte> bytes) {
    if (std::fread(bytes.data(), 1, bytes.size(), file) != bytes.size())
      throw std::runtime_error("a temporary file cannot be read");
  });
}

BenchRun run_prompt(const Model& model, const BenchSettings& settings, std::int64_t tokens) {
  BenchRun run;
  run.tokens = tokens;
  Session session(model, session_options(settings));
  const std::vector<fathom::TokenId> prompt = random_tokens(settings.seed, 0, 0, tokens, model.info().vocab_size);
  for (int i = 0; i < settings.repetitions; ++i) {
    session.reset();
    session.append(prompt);
    const PartTimes before = session.part_times();
    const auto start = Clock::now();
    session.step({.max_new_tokens = 0});
    run.seconds.push_back(seconds_since(start));
    add_difference(run.parts, session.part_times(), before);
  }
  return run;
}

BenchRun run_generation(const Model& model, const BenchSettings& settings, const FilledContexts& contexts, std::int64_t depth,
                        std::int64_t tokens, int sessions) {
  BenchRun run;
  run.generates = true;
  run.tokens = tokens;
  run.depth = depth;
  run.sessions = sessions;
  Generators generators(model, settings, sessions);
  std::vector<std::vector<fathom::TokenId>> texts;  // [sessions][tokens]
  for (auto& session : generators.sessions()) {
    contexts.restore(depth, *session);
    const std::int64_t text = settings.same_text ? 1 : 1 + static_cast<std::int64_t>(texts.size());
    texts.push_back(random_tokens(settings.seed, text, depth, tokens, model.info().vocab_size));
  }
  for (int i = 0; i < settings.repetitions; ++i) {
    generators.rewind(depth);
    const PartTimes before = generators.part_times();
    const auto start = Clock::now();
    for (std::size_t token = 0; token < static_cast<std::size_t>(tokens); ++token) {
      for (std::size_t s = 0; s < texts.size(); ++s) generators.sessions()[s]->append({&texts[s][token], 1});
      generators.step();
    }
    run.seconds.push_back(seconds_since(start));
    add_difference(run.parts, generators.part_times(), before);
    run.experts_read = generators.experts_read();
  }
  return run;
}

}  // namespace cli
