// The trained model of examples/models/fathom-tales: learned experts, real text. Its folder and what the tests make of it,
// against the framework that trained it (examples/models/train/compare.py writes tales/).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "conformance/checks.hpp"
#include "fathom/session.hpp"
#include "io/json.hpp"
#include "support/compare.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

const std::string kFolder = FATHOM_TALES;
const std::string kGolden = FATHOM_TALES_GOLDEN;

double negative_log_likelihood(std::span<const float> logits, TokenId token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - largest);
  return std::log(total) + largest - logits[std::size_t(token)];
}

// Of texts that each stand alone.
double perplexity(const Model& model, const std::vector<std::vector<TokenId>>& texts) {
  double sum = 0;
  std::size_t count = 0;
  for (const std::vector<TokenId>& ids : texts) {
    const ModelRun run = run_prompt(model, ids, 0, kWholePrompt);
    for (std::size_t i = 0; i + 1 < ids.size(); ++i, ++count)
      sum += negative_log_likelihood(run.row(std::int64_t(i)), ids[i + 1]);
  }
  return std::exp(sum / double(count));
}

struct Framework {
  double perplexity;
  std::int64_t tokens;
};

Framework framework() {
  std::ifstream in(kGolden + "/held_out.json");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const io::Value told = io::parse_json(text, "held_out.json");
  return {told["perplexity"].as_double().value(), told["tokens"].as_int().value()};
}

}  // namespace

TEST_CASE("the trained model's logits are the framework's at every position of three tales") {
  const Runtime runtime = make_runtime();
  const Model model = Model::open(runtime, kFolder);
  const std::vector<GoldenPrompt> tales = read_golden(kGolden);
  REQUIRE(tales.size() == 3);
  for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
    for (const GoldenPrompt& tale : tales) {
      INFO("tale ", tale.id, " fed as ", feeding.name);
      REQUIRE(tale.length() > 100);
      const ModelRun run = run_prompt(model, tale.input_ids, 0, feeding);
      CHECK(max_abs_difference(tale.logits, run.logits) <= kFloat32.logits_max_abs);
    }
  }
}

TEST_CASE("its perplexity is the framework's in FP8 and in Q8_0, and what Q4_K costs is told") {
  const std::vector<std::vector<TokenId>> texts = read_golden_texts(kGolden);
  const Framework reference = framework();
  std::int64_t predicted = 0;
  for (const auto& ids : texts) predicted += std::int64_t(ids.size()) - 1;
  REQUIRE(predicted == reference.tokens);

  MemoryFileSystem files;
  const Runtime runtime = make_runtime(2, {}, false, &files);
  const auto converted = [&](StorageFormat format) {
    files.put("/models/tales.gguf", convert_to_gguf(kFolder, {.matrices = format}).finish());
    return perplexity(Model::open(runtime, "/models/tales.gguf"), texts);
  };
  const double fp8 = perplexity(Model::open(make_runtime(), kFolder), texts);
  const double q8_0 = converted(StorageFormat::q8_0);
  // Rows of this model are 64 to 512 long; those that are no whole blocks of 256 stay F16.
  const double q4_k = converted(StorageFormat::q4_k);
  MESSAGE("framework ", reference.perplexity, ", FP8 ", fp8, ", Q8_0 ", q8_0, ", Q4_K ", q4_k);
  CHECK(std::abs(fp8 / reference.perplexity - 1) < 0.005);
  CHECK(std::abs(q8_0 / reference.perplexity - 1) < 0.005);
  CHECK(q4_k < 1.2 * reference.perplexity);
}

TEST_CASE("its experts are used unevenly, and none is idle") {
  const Runtime runtime = make_runtime();
  const Model model = Model::open(runtime, kFolder);
  const std::int64_t experts = model.info().experts;
  REQUIRE(experts > 0);
  std::vector<std::vector<std::int64_t>> counts(std::size_t(model.info().layers),
                                                std::vector<std::int64_t>(std::size_t(experts)));
  for (const GoldenPrompt& tale : read_golden(kGolden)) {
    for (const Route& route : run_prompt(model, tale.input_ids, 0, kWholePrompt).routes) {
      for (const auto expert : route.experts) ++counts[std::size_t(route.layer)][std::size_t(expert)];
    }
  }
  for (const auto& layer : counts) {
    const auto [least, most] = std::minmax_element(layer.begin(), layer.end());
    if (*most == 0) continue;  // a dense layer
    CHECK(*least > 0);
    CHECK(*most > 2 * *least);
  }
}
