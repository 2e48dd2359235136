// Comparisons with the reference. A message names model, prompt, position and what was measured.
#include "conformance/checks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "support/compare.hpp"

namespace fathom::test {
namespace {

// By (position, layer): what a run chose.
using RouteMap = std::map<std::pair<std::int64_t, std::int32_t>, const Route*>;

RouteMap index_routes(const ModelRun& run) {
  RouteMap index;
  for (const Route& route : run.routes) index[{route.position, route.layer}] = &route;
  CHECK_MESSAGE(index.size() == run.routes.size(), "a position and layer was traced twice");
  return index;
}

bool same_experts(const GoldenRouter& golden, std::int64_t position, const Route& route) {
  const auto first = golden.ids.begin() + position * golden.per_token;
  return std::equal(route.experts.begin(), route.experts.end(), first, first + golden.per_token);
}

// How many positions come before the first that took other experts in any layer. Checks shares and factors.
std::int64_t check_routes(const GoldenPrompt& golden, const ModelRun& run, const Tolerance& tolerance) {
  const RouteMap routes = index_routes(run);
  const double least_share = golden.length() <= 32 ? tolerance.routes_short : tolerance.routes_long;
  std::int64_t comparable = golden.length();
  double weight_difference = 0;
  for (const GoldenRouter& golden_router : golden.routers) {
    std::int64_t agreed = 0;
    for (std::int64_t position = 0; position < golden.length(); ++position) {
      const auto found = routes.find({position, golden_router.layer});
      REQUIRE_MESSAGE(found != routes.end(), "no route for position ", position, " in layer ", golden_router.layer);
      const Route& route = *found->second;
      if (!same_experts(golden_router, position, route)) {
        comparable = std::min(comparable, position);
        continue;
      }
      ++agreed;
      if (golden_router.weights.empty()) continue;
      const std::span weights(golden_router.weights.data() + position * golden_router.per_token,
                              std::size_t(golden_router.per_token));
      weight_difference = std::max(weight_difference, max_abs_difference(weights, route.weights));
    }
    INFO("layer ", golden_router.layer, "; first position with other experts: ", comparable);
    CHECK(double(agreed) >= least_share * double(golden.length()));
  }
  if (tolerance.route_weight_abs > 0) CHECK(weight_difference <= tolerance.route_weight_abs);
  if (golden.routers.empty()) CHECK_MESSAGE(run.routes.empty(), "a dense model has no routes");
  return comparable;
}

void check_logits(const GoldenPrompt& golden, const ModelRun& run, std::int64_t comparable, const Tolerance& tolerance) {
  double largest = 0, sum_of_means = 0, least_cosine = 1;
  std::int64_t rows = 0, worst_position = -1;
  for (std::size_t i = 0; i < golden.logits_at.size(); ++i) {
    const std::int64_t position = golden.logits_at[i];
    if (position >= comparable) continue;
    const auto expected = std::span(golden.logits).subspan(i * std::size_t(golden.vocab_size), std::size_t(golden.vocab_size));
    const double difference = max_abs_difference(expected, run.row(position));
    if (difference > largest) {
      largest = difference;
      worst_position = position;
    }
    sum_of_means += mean_abs_difference(expected, run.row(position));
    least_cosine = std::min(least_cosine, cosine(expected, run.row(position)));
    ++rows;
  }
  if (rows == 0) {
    CHECK_MESSAGE(golden.length() > 32, "a short prompt's very first position took other experts");
    return;
  }
  INFO("largest difference ", largest, " at position ", worst_position);
  if (tolerance.logits_max_abs > 0) CHECK(largest <= tolerance.logits_max_abs);
  CHECK(sum_of_means <= tolerance.logits_mean_abs * double(rows));
  CHECK(least_cosine >= tolerance.row_cosine);
}

void check_argmax(const GoldenPrompt& golden, const ModelRun& run, std::int64_t comparable, const Tolerance& tolerance) {
  std::int64_t wrong = 0, first_wrong = -1;
  for (std::int64_t position = 0; position < comparable; ++position) {
    if (golden.argmax_margin[std::size_t(position)] <= tolerance.argmax_margin) continue;
    if (argmax(run.row(position)) == golden.argmax[std::size_t(position)]) continue;
    if (wrong++ == 0) first_wrong = position;
  }
  INFO("first position with another best token: ", first_wrong);
  CHECK(wrong == 0);
}

// Equal up to the first step that the arithmetic cannot be asked to decide.
void check_greedy(const GoldenPrompt& golden, const ModelRun& run, const Tolerance& tolerance) {
  std::size_t decided = 0;
  while (decided < golden.greedy.size() && golden.greedy_margin[decided] > tolerance.argmax_margin) ++decided;
  REQUIRE(run.generated.size() == golden.greedy.size());
  const auto differ =
      std::mismatch(golden.greedy.begin(), golden.greedy.begin() + std::ptrdiff_t(decided), run.generated.begin());
  CHECK_MESSAGE(differ.first - golden.greedy.begin() == std::ptrdiff_t(decided), "the greedy continuations part at step ",
                differ.first - golden.greedy.begin());
  if (decided < golden.greedy.size() || tolerance.logits_max_abs <= 0) return;
  // Position p's logits choose token p + 1 of the timeline: the last token comes from the one before it.
  const std::int64_t last = golden.length() + std::int64_t(golden.greedy.size()) - 2;
  REQUIRE(run.positions() > last);
  CHECK(max_abs_difference(golden.greedy_logits_last, run.row(last)) <= tolerance.logits_max_abs);
}

std::vector<std::string>& model_choice() {
  static std::vector<std::string> choice;
  return choice;
}

}  // namespace

void choose_model(const std::string& name) { model_choice() = {name}; }

const std::vector<std::string>& expected_models() {
  static const std::vector<std::string> names = {"deepseek-moe-v1",
                                                 "deepseek-v2-group",
                                                 "deepseek-v2-lite",
                                                 "deepseek-v3",
                                                 "deepseek-v3-fp8",
                                                 "deepseek-v3-mscale",
                                                 "deepseek-v3-mtp",
                                                 "deepseek-v3-nogroup",
                                                 "deepseek-v3-split-rope",
                                                 "gpt-oss",
                                                 "gpt-oss-mxfp4",
                                                 "llama-linear",
                                                 "llama3",
                                                 "mistral",
                                                 "mixtral",
                                                 "qwen2",
                                                 "qwen3-moe",
                                                 "qwen3-yarn"};
  return names;
}

const std::vector<std::string>& selected_models() { return model_choice().empty() ? expected_models() : model_choice(); }

std::vector<std::string> model_folders() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(FATHOM_TEST_DATA)) {
    if (std::filesystem::exists(entry.path() / "config.json")) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Runtime make_runtime(int threads, std::string_view isa_limit, bool invariant, FileSystem* files) {
  RuntimeOptions options;
  options.threads = threads;
  options.isa_limit = isa_limit;
  options.invariant = invariant;
  options.host.files = files;
  return Runtime(options);
}

void check_run(const GoldenPrompt& golden, const ModelRun& run, const Tolerance& tolerance) {
  INFO("prompt ", golden.id);
  REQUIRE(run.vocab_size == golden.vocab_size);
  REQUIRE(run.positions() >= golden.length());
  const std::int64_t comparable = check_routes(golden, run, tolerance);
  check_logits(golden, run, comparable, tolerance);
  check_argmax(golden, run, comparable, tolerance);
  if (comparable == golden.length()) check_greedy(golden, run, tolerance);
}

void check_model(const Model& model, const std::vector<GoldenPrompt>& prompts, const Feeding& feeding, CacheFormat cache,
                 const Tolerance& tolerance) {
  INFO("fed as ", feeding.name);
  REQUIRE(!prompts.empty());
  for (const GoldenPrompt& prompt : prompts) {
    check_run(prompt, run_prompt(model, prompt.input_ids, std::int64_t(prompt.greedy.size()), feeding, cache), tolerance);
  }
}

void check_same_bits(const ModelRun& a, const ModelRun& b) {
  REQUIRE(a.logits.size() == b.logits.size());
  CHECK(std::memcmp(a.logits.data(), b.logits.data(), a.logits.size() * sizeof(float)) == 0);
  CHECK(a.generated == b.generated);
  REQUIRE(a.routes.size() == b.routes.size());
  const bool same_routes = std::equal(a.routes.begin(), a.routes.end(), b.routes.begin(), [](const Route& x, const Route& y) {
    return x.position == y.position && x.layer == y.layer && x.experts == y.experts && x.weights == y.weights;
  });
  CHECK(same_routes);
}

}  // namespace fathom::test
