#include "sampling.hpp"

#include <charconv>
#include <iostream>
#include <random>
#include <string>

#include "limits.hpp"

namespace cli {
namespace {

// The shortest text that reads as the same number.
std::string text_of(float value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end);
}

// As a double that prints as briefly as the float does.
double brief(float value) {
  const std::string text = text_of(value);
  double read = 0;
  std::from_chars(text.data(), text.data() + text.size(), read);
  return read;
}

}  // namespace

void SamplingArguments::add_to(CLI::App& app) {
  const auto add = [&app](const char* name, auto& value, const char* description) {
    return app.add_option(name, value, description)->group("Sampling (by default as the checkpoint recommends)");
  };
  add("--temperature", temperature, "0: always the likeliest token, the default where nothing is recommended")
      ->check(number_from(0));
  add("--top-k", top_k, "Keep the K likeliest tokens; 0: all")->check(integer(0, kMostTokens));
  add("--top-p", top_p, "Keep the smallest set of tokens whose probabilities reach P; 1: all")->check(number_above(0, 1));
  add("--min-p", min_p, "Drop tokens that are less likely than P times the likeliest; 0: none")->check(number_from(0, 1));
  add("--repeat-penalty", repetition_penalty, "Above 1: tokens seen become less likely; 1: off")->check(number_above(0));
  add("--frequency-penalty", frequency_penalty, "Taken off a logit each time its token was seen; 0: off")->check(number());
  add("--presence-penalty", presence_penalty, "Taken off a logit once its token was seen; 0: off")->check(number());
  add("--penalty-window", penalty_window, "How many of the last tokens the penalties look at")->check(integer(0, kMostTokens));
  add("--seed", seed, "The same seed gives the same text; by default another one each time")->check(cli::seed());
}

fathom::SamplingOptions SamplingArguments::over(const fathom::SamplingOptions& recommended) const {
  fathom::SamplingOptions used = recommended;
  used.temperature = temperature.value_or(used.temperature);
  used.top_k = top_k.value_or(used.top_k);
  used.top_p = top_p.value_or(used.top_p);
  used.min_p = min_p.value_or(used.min_p);
  used.repetition_penalty = repetition_penalty.value_or(used.repetition_penalty);
  used.frequency_penalty = frequency_penalty.value_or(used.frequency_penalty);
  used.presence_penalty = presence_penalty.value_or(used.presence_penalty);
  used.penalty_window = penalty_window.value_or(used.penalty_window);
  if (seed) {
    used.seed = *seed;
  } else if (used.temperature > 0) {
    used.seed = std::random_device()();
  }
  return used;
}

void SamplingArguments::print_seed(const fathom::SamplingOptions& used) const {
  if (seed || used.temperature == 0) return;
  std::cerr << "fathom: temperature " << text_of(used.temperature) << ", seed " << used.seed << " (--seed " << used.seed
            << " repeats this)" << std::endl;
}

nlohmann::ordered_json to_json(const fathom::SamplingOptions& used) {
  return {{"temperature", brief(used.temperature)},
          {"top_k", used.top_k},
          {"top_p", brief(used.top_p)},
          {"min_p", brief(used.min_p)},
          {"repetition_penalty", brief(used.repetition_penalty)},
          {"frequency_penalty", brief(used.frequency_penalty)},
          {"presence_penalty", brief(used.presence_penalty)},
          {"penalty_window", used.penalty_window},
          {"seed", used.seed}};
}

}  // namespace cli
