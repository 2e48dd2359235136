// One session, its logits row by row.
#include "support/model_run.hpp"

#include <stdexcept>

namespace fathom::test {
namespace {

// Puts each position's logits where they belong and refuses positions out of order.
struct LogitsRecorder {
  ModelRun& run;

  void operator()(std::int64_t position, std::span<const float> logits) const {
    if (std::int64_t(logits.size()) != run.vocab_size) throw std::runtime_error("a row of logits has the wrong length");
    if (position != run.positions()) throw std::runtime_error("positions do not follow each other");
    run.logits.insert(run.logits.end(), logits.begin(), logits.end());
  }
};

void append_to(std::vector<Route>& routes, Session& session) {
  for (Route& route : session.take_routes()) routes.push_back(std::move(route));
}

}  // namespace

ModelRun run_prompt(const Model& model, std::span<const TokenId> prompt, std::int64_t generate, const Feeding& feeding,
                    CacheFormat cache) {
  SessionOptions options;
  options.context_length = std::int64_t(prompt.size()) + generate + 1;
  options.cache = cache;
  options.chunk_rows = feeding.chunk_rows;
  options.trace_routes = true;
  options.stop.at_stop_tokens = false;
  Session session(model, options);

  ModelRun run;
  run.vocab_size = model.info().vocab_size;
  StepOptions step;
  step.max_new_tokens = 0;
  step.on_logits = LogitsRecorder{run};
  step.budget_us = feeding.budget_us;
  const std::size_t piece = feeding.one_by_one ? 1 : prompt.size();
  for (std::size_t first = 0; first < prompt.size(); first += piece) {
    session.append(prompt.subspan(first, piece));
    while (run.positions() < std::int64_t(first + piece)) session.step(step);
    append_to(run.routes, session);
  }
  for (std::int64_t generated = 0; generated < generate;) {
    step.max_new_tokens = generate - generated;
    generated += session.step(step).new_tokens;
  }
  append_to(run.routes, session);
  run.generated = session.take_tokens();
  return run;
}

}  // namespace fathom::test
