// How tokens are chosen: what the options say, and for the rest what the checkpoint recommends.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "fathom/model.hpp"

namespace cli {

struct SamplingArguments {
  std::optional<float> temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty;
  std::optional<std::int32_t> top_k, penalty_window;
  std::optional<std::uint64_t> seed;

  void add_to(CLI::App& app);
  // Draws a seed where tokens are drawn and no seed is given.
  fathom::SamplingOptions over(const fathom::SamplingOptions& recommended) const;
  // On stderr: how to repeat what a drawn seed did. Nothing where the options decide everything.
  void print_seed(const fathom::SamplingOptions& used) const;
};

nlohmann::ordered_json to_json(const fathom::SamplingOptions& used);

}  // namespace cli
