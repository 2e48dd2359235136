// Runs the models that make_model.py wrote: random weights, so all there is to see is that the numbers are those of a model
// that works: finite, spread like logits, different from token to token, and experts that share the work.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "fathom/session.hpp"

using namespace fathom;

namespace {

std::vector<std::string> written_models() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(FATHOM_BENCH_MODELS)) {
    if (entry.path().extension() == ".gguf" || entry.is_directory()) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// What make_model.py says that a token reads.
double told_bytes(const std::string& path) {
  std::ifstream in(std::filesystem::is_directory(path) ? path + "/sizes.json" : path + ".json");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const std::string key = "\"bytes_read_per_token\": ";
  return std::stod(text.substr(text.find(key) + key.size()));
}

double deviation(std::span<const float> logits) {
  double sum = 0, squares = 0;
  for (const float x : logits) {
    sum += x;
    squares += double(x) * x;
  }
  const double mean = sum / double(logits.size());
  return std::sqrt(squares / double(logits.size()) - mean * mean);
}

}  // namespace

TEST_CASE("every model that was written runs, with logits like a real model's and busy experts") {
  const Runtime runtime(RuntimeOptions{.host = {}, .threads = 2, .isa_limit = {}, .invariant = false, .streams = {}});
  const std::vector<std::string> paths = written_models();
  REQUIRE(paths.size() == 23);
  for (const std::string& path : paths) {
    INFO("model ", path);
    const Model model = Model::open(runtime, path, {.progress = {}, .verify = true});
    // theirs counts norms, ours does not
    CHECK(double(model.info().bytes_per_token) == doctest::Approx(told_bytes(path)).epsilon(0.01));
    CHECK(double(model.info().bytes_per_token) < told_bytes(path));
    SessionOptions options;
    options.context_length = 128;
    options.trace_routes = true;
    options.stop.at_stop_tokens = false;
    Session session(model, options);
    std::vector<TokenId> prompt;
    for (TokenId i = 0; i < 48; ++i) prompt.push_back(i * 17 % 700);
    session.append(prompt);
    StepOptions step;
    step.max_new_tokens = 8;
    std::set<std::ptrdiff_t> best_tokens;
    double least = INFINITY, most = 0;
    step.on_logits = [&](std::int64_t, std::span<const float> logits) {
      best_tokens.insert(std::max_element(logits.begin(), logits.end()) - logits.begin());
      least = std::min(least, deviation(logits));
      most = std::max(most, deviation(logits));
    };
    CHECK(session.step(step).new_tokens == 8);
    CHECK(session.take_tokens().size() == 8);
    // The head is drawn so that logits of a normed row have deviation 2; blocks' random scales move that a little.
    CHECK(least > 1.0);
    CHECK(most < 4.0);
    CHECK(best_tokens.size() > 10);
    std::set<std::int32_t> used;
    for (const Route& route : session.take_routes()) used.insert(route.experts.begin(), route.experts.end());
    CHECK(std::int64_t(used.size()) * 2 > model.info().experts);
  }
}
