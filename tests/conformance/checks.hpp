// What a run must have in common with the reference, at the tolerances of the fixtures.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fathom/model.hpp"
#include "support/golden.hpp"
#include "support/model_run.hpp"

namespace fathom::test {

// The fixtures that this build must run, by name.
const std::vector<std::string>& expected_models();
// Those, or the one that --model=NAME chose.
const std::vector<std::string>& selected_models();
// Folders with a config.json under the test data, sorted.
std::vector<std::string> model_folders();

Runtime make_runtime(int threads = 2, std::string_view isa_limit = {}, bool invariant = false, FileSystem* files = nullptr);

// How far an arithmetic may move things. Zero `logits_max_abs`: not bounded.
struct Tolerance {
  double logits_max_abs;    // of any logit
  double logits_mean_abs;   // over all logits of a prompt
  double row_cosine;        // of each row whose position took the reference's experts
  double argmax_margin;     // the best token is the reference's where it leads by more than this
  double routes_short;      // share of positions that take the reference's experts, prompts of up to 32 tokens
  double routes_long;       // likewise, longer prompts
  double route_weight_abs;  // of each factor where the experts agree; zero: not bounded
};
// The table in the fixtures' README: by the coarsest of activations and cache.
inline constexpr Tolerance kFloat32{1e-3, 1e-3, 0.99999, 0.0, 1.0, 1.0, 1e-4};
inline constexpr Tolerance kFloat16{0, 0.02, 0.9995, 0.2, 1.0, 0.85, 0};
inline constexpr Tolerance kBFloat16{0, 0.15, 0.99, 1.0, 0.85, 0.85, 0};
inline constexpr Tolerance kEightBit{0, 0.25, 0.98, 1.0, 0.85, 0.85, 0};

// Logits, best tokens, experts and the greedy continuation.
void check_run(const GoldenPrompt& golden, const ModelRun& run, const Tolerance& tolerance);
// Runs all prompts of a model and checks each.
void check_model(const Model& model, const std::vector<GoldenPrompt>& prompts, const Feeding& feeding, CacheFormat cache,
                 const Tolerance& tolerance);

// Same bits everywhere: logits, experts, their factors, generated tokens.
void check_same_bits(const ModelRun& a, const ModelRun& b);

}  // namespace fathom::test
