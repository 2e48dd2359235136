// The trained model of examples/models/fathom-tales: learned experts, real text. Its folder and what the tests make of it, against the
// framework that trained it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "conformance/checks.hpp"
#include "fathom/session.hpp"
#include "support/compare.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

const std::string kFolder = FATHOM_TALES;

double perplexity(const std::vector<GoldenPrompt>& tales, const std::vector<std::vector<float>>& logits) {
  double sum = 0;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < tales.size(); ++i) {
    const auto vocab = std::size_t(tales[i].vocab_size);
    for (std::size_t position = 0; position + 1 < tales[i].input_ids.size(); ++position, ++count) {
      const std::span row = std::span(logits[i]).subspan(position * vocab, vocab);
      const double largest = *std::max_element(row.begin(), row.end());
      double total = 0;
      for (const float logit : row) total += std::exp(logit - largest);
      sum += std::log(total) + largest - row[std::size_t(tales[i].input_ids[position + 1])];
    }
  }
  return std::exp(sum / double(count));
}

double perplexity(const Model& model, const std::vector<GoldenPrompt>& tales, CacheFormat cache) {
  std::vector<std::vector<float>> logits;
  for (const GoldenPrompt& tale : tales) logits.push_back(run_prompt(model, tale.input_ids, 0, kWholePrompt, cache).logits);
  return perplexity(tales, logits);
}

double reference_perplexity(const std::vector<GoldenPrompt>& tales) {
  std::vector<std::vector<float>> logits;
  for (const GoldenPrompt& tale : tales) logits.push_back(tale.logits);
  return perplexity(tales, logits);
}

}  // namespace

TEST_CASE("the trained model's logits are the framework's at every position of three tales") {
  const Runtime runtime = make_runtime();
  const Model model = Model::open(runtime, kFolder);
  const std::vector<GoldenPrompt> tales = read_golden(std::string(FATHOM_TALES_GOLDEN));
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
  const std::vector<GoldenPrompt> tales = read_golden(std::string(FATHOM_TALES_GOLDEN));
  const double reference = reference_perplexity(tales);
  MemoryFileSystem files;
  const Runtime runtime = make_runtime(2, {}, false, &files);
  const auto converted = [&](StorageFormat format) {
    files.put("/models/tales.gguf", convert_to_gguf(kFolder, {.matrices = format}).finish());
    return perplexity(Model::open(runtime, "/models/tales.gguf"), tales, CacheFormat::f32);
  };
  const double fp8 = perplexity(Model::open(make_runtime(), kFolder), tales, CacheFormat::f32);
  const double q8_0 = converted(StorageFormat::q8_0);
  // Rows of this model are 64 to 512 long; those that are no whole blocks of 256 stay F16.
  const double q4_k = converted(StorageFormat::q4_k);
  std::printf("perplexity: framework %.4f, FP8 %.4f, Q8_0 %.4f, Q4_K %.4f (%+.2f %%)\n", reference, fp8, q8_0, q4_k,
              100 * (q4_k / reference - 1));
  CHECK(std::abs(fp8 / reference - 1) < 0.005);
  CHECK(std::abs(q8_0 / reference - 1) < 0.005);
  CHECK(q4_k < 1.2 * reference);
}

TEST_CASE("its experts are used unevenly, and none is idle") {
  const Runtime runtime = make_runtime();
  const Model model = Model::open(runtime, kFolder);
  const std::int64_t experts = model.info().experts;
  REQUIRE(experts > 0);
  std::vector<std::vector<std::int64_t>> counts(std::size_t(model.info().layers), std::vector<std::int64_t>(std::size_t(experts)));
  for (const GoldenPrompt& tale : read_golden(std::string(FATHOM_TALES_GOLDEN))) {
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
