// One turn of a session, with the clock running.
#include "turn.hpp"

#include <chrono>
#include <cstdio>

#include "interrupt.hpp"

namespace cli {
namespace {

using fathom::StopReason;
using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

const char* stop_name(StopReason stop) {
  switch (stop) {
    case StopReason::none:
      return "max_tokens";
    case StopReason::stop_token:
      return "stop_token";
    case StopReason::stop_string:
      return "stop_string";
    case StopReason::context_full:
      return "context_full";
    case StopReason::cancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace

double Turn::prompt_tokens_per_s() const { return prompt_ms > 0 ? 1e3 * static_cast<double>(prompt_tokens) / prompt_ms : 0; }

double Turn::generated_tokens_per_s() const {
  return generated_tokens > 1 && generation_ms > 0 ? 1e3 * static_cast<double>(generated_tokens - 1) / generation_ms : 0;
}

Turn run_turn(fathom::Session& session, std::int64_t max_tokens, const fathom::StopOptions& stop_options,
              const std::function<void(std::string_view)>& on_text) {
  Turn turn;
  session.set_stop(stop_options);
  const CancelOnInterrupt on_interrupt(session);
  const auto collect = [&] {
    const std::string text = session.take_text();
    turn.text += text;
    if (!text.empty()) on_text(text);
  };

  const auto start = Clock::now();
  const fathom::StepResult taking_in = session.step({.max_new_tokens = 0});
  turn.prompt_tokens = taking_in.prompt_tokens;
  StopReason stop = taking_in.stop;
  const auto taken_in = Clock::now();
  auto first = taken_in, last = taken_in;

  while (stop == StopReason::none && turn.generated_tokens < max_tokens) {
    const fathom::StepResult result = session.step({.max_new_tokens = 1});
    stop = result.stop;
    if (result.new_tokens > 0) {
      last = Clock::now();
      if (turn.generated_tokens == 0) first = last;
      turn.generated_tokens += result.new_tokens;
    }
    collect();
  }
  session.set_stop({});  // what was held back for a stop string is text after all
  collect();

  turn.tokens = session.take_tokens();
  turn.stop = stop_name(stop);
  turn.cancelled = stop == StopReason::cancelled;
  turn.context_full = stop == StopReason::context_full;
  turn.prompt_ms = milliseconds(start, taken_in);
  turn.generation_ms = milliseconds(first, last);
  // A Ctrl-C that came after the last step would otherwise cancel the next turn.
  if (on_interrupt.interrupted() && !turn.cancelled) session.step({.max_new_tokens = 0});
  return turn;
}

void print_stats(const Turn& turn, const fathom::Runtime& runtime) {
  const auto megabytes = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::fprintf(stderr, "prompt      %6lld tokens %9.1f tokens/s\n", static_cast<long long>(turn.prompt_tokens),
               turn.prompt_tokens_per_s());
  std::fprintf(stderr, "generation  %6lld tokens %9.1f tokens/s\n", static_cast<long long>(turn.generated_tokens),
               turn.generated_tokens_per_s());
  std::fprintf(stderr, "memory      %6.0f MB now, %.0f MB at most (mapped weights included), %d threads, %s\n",
               megabytes(runtime.resident_bytes()), megabytes(runtime.peak_resident_bytes()), runtime.threads(), runtime.isa());
}

}  // namespace cli
