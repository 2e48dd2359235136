// How well steps keep a budget: takes in a prompt and generates, in steps of so many microseconds, and prints how long they
// took.
//   step_times MODEL [--budget-us 2000] [--steps 5000] [--prompt 512] [--threads 2] [--isa ISA]
// Beside it: threads that only look at the clock, in as many waits of the same length, which shows what the machine itself
// adds.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

#include "fathom/session.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

void print(const char* what, std::vector<double> us, double limit_us) {
  std::sort(us.begin(), us.end());
  const auto at = [&](double share) { return us[std::min(us.size() - 1, std::size_t(share * double(us.size())))] * 1e-3; };
  const auto within = std::upper_bound(us.begin(), us.end(), limit_us) - us.begin();
  std::printf("%-10s p50 %.3f ms  p99 %.3f ms  p99.9 %.3f ms  longest %.3f ms  within %.1f ms: %.2f %%\n", what, at(0.5),
              at(0.99), at(0.999), us.back() * 1e-3, limit_us * 1e-3, 100.0 * double(within) / double(us.size()));
}

// How long waits of `budget_us` take when each thread does nothing but wait: the longest of the threads, for each wait.
std::vector<double> wait_on_threads(int threads, int steps, double budget_us) {
  std::vector<std::vector<double>> waited(static_cast<std::size_t>(threads));
  const auto wait = [&](std::vector<double>& us) {
    for (int i = 0; i < steps; ++i) {
      const auto began = Clock::now();
      while (us_since(began) < budget_us) {
      }
      us.push_back(us_since(began));
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(wait, std::ref(waited[static_cast<std::size_t>(i)]));
  wait(waited[0]);
  for (std::thread& thread : others) thread.join();
  for (const std::vector<double>& us : waited) {
    for (std::size_t i = 0; i < us.size(); ++i) waited[0][i] = std::max(waited[0][i], us[i]);
  }
  return waited[0];
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("How well steps keep a budget");
  std::string path, isa;
  std::int64_t budget_us = 2000, prompt_size = 512;
  int steps = 5000, threads = 2;
  app.add_option("model", path)->required();
  app.add_option("--budget-us", budget_us);
  app.add_option("--steps", steps);
  app.add_option("--prompt", prompt_size);
  app.add_option("--threads", threads);
  app.add_option("--isa", isa);
  CLI11_PARSE(app, argc, argv);
  try {
    fathom::RuntimeOptions options;
    options.threads = threads;
    options.isa_limit = isa;
    const fathom::Model model = fathom::Model::open(fathom::Runtime(options), path);
    fathom::SessionOptions wanted;
    wanted.context_length = prompt_size + 512;
    wanted.stop.at_stop_tokens = false;
    fathom::Session session(model, wanted);
    std::vector<fathom::TokenId> prompt;
    for (std::int64_t i = 0; i < prompt_size; ++i)
      prompt.push_back(fathom::TokenId((i * 7919 + 13) % std::min<std::int64_t>(model.info().vocab_size, 30000)));
    session.append(prompt);
    session.step({.max_new_tokens = 8});  // touches every page once
    session.reset();
    session.append(prompt);

    std::vector<double> taken_in, generated;
    double longest_unit_us = 0;
    for (int i = 0; i < steps; ++i) {
      const auto began = Clock::now();
      const fathom::StepResult result = session.step({.budget_us = budget_us, .max_new_tokens = 1000});
      (result.queued_tokens > 0 ? taken_in : generated).push_back(us_since(began));
      longest_unit_us = std::max(longest_unit_us, result.longest_unit_us);
      if (result.stop != fathom::StopReason::none) {
        session.reset();
        session.append(prompt);
      }
    }
    const std::vector<double> waited = wait_on_threads(threads, steps, double(budget_us));
    std::vector<double> all = taken_in;
    all.insert(all.end(), generated.begin(), generated.end());
    const double limit_us = 1.5 * double(budget_us);
    if (!taken_in.empty()) print("prompt", taken_in, limit_us);
    if (!generated.empty()) print("generation", generated, limit_us);
    print("all steps", all, limit_us);
    print("waiting", waited, limit_us);
    std::printf("longest unit %.3f ms\n", longest_unit_us * 1e-3);
  } catch (const fathom::Error& error) {
    std::fprintf(stderr, "step_times: %s\n", error.what());
    return 1;
  }
  return 0;
}
