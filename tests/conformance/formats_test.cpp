// Every block format of GGUF in a whole model, against the same model with its weights decoded to F32: what is left between
// the two is the rounding of activations to 8 bits.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "conformance/checks.hpp"
#include "conformance/wide_model.hpp"
#include "support/compare.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

constexpr StorageFormat kBlockFormats[] = {
    StorageFormat::q4_0,   StorageFormat::q4_1,   StorageFormat::q5_0, StorageFormat::q5_1, StorageFormat::q8_0,
    StorageFormat::q2_k,   StorageFormat::q3_k,   StorageFormat::q4_k, StorageFormat::q5_k, StorageFormat::q6_k,
    StorageFormat::iq4_nl, StorageFormat::iq4_xs, StorageFormat::mxfp4};
constexpr StorageFormat kFloatFormats[] = {StorageFormat::f16, StorageFormat::bf16};

std::vector<TokenId> some_tokens(int count) {
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(TokenId((i * 37 + 11) % kWideVocabulary));
  return tokens;
}

// A run of the F32 twin as the reference for the other.
GoldenPrompt golden_from(const ModelRun& run, const std::vector<TokenId>& prompt) {
  GoldenPrompt golden;
  golden.id = "twin";
  golden.input_ids = prompt;
  golden.vocab_size = run.vocab_size;
  golden.logits.assign(run.logits.begin(), run.logits.begin() + std::ptrdiff_t(prompt.size()) * run.vocab_size);
  golden.greedy = run.generated;
  auto margin = [&](std::int64_t position) {
    const auto row = run.row(position);
    std::vector<float> sorted(row.begin(), row.end());
    std::partial_sort(sorted.begin(), sorted.begin() + 2, sorted.end(), std::greater<>());
    return sorted[0] - sorted[1];
  };
  for (std::int64_t position = 0; position < golden.length(); ++position) {
    golden.logits_at.push_back(position);
    golden.argmax.push_back(std::int32_t(argmax(run.row(position))));
    golden.argmax_margin.push_back(margin(position));
  }
  for (std::size_t i = 0; i < golden.greedy.size(); ++i) {
    golden.greedy_margin.push_back(margin(golden.length() - 1 + std::int64_t(i)));
  }
  const auto last = run.row(golden.length() + std::int64_t(golden.greedy.size()) - 2);
  golden.greedy_logits_last.assign(last.begin(), last.end());
  GoldenRouter router{1, 0, {}, {}};
  for (const Route& route : run.routes) {
    if (route.position >= golden.length()) continue;
    router.per_token = std::int64_t(route.experts.size());
    router.ids.insert(router.ids.end(), route.experts.begin(), route.experts.end());
    router.weights.insert(router.weights.end(), route.weights.begin(), route.weights.end());
  }
  golden.routers.push_back(router);
  return golden;
}

struct Twins {
  MemoryFileSystem files;

  // Checks the stored form against the F32 one for one instruction set.
  void check(const FormatChoice& format_of, std::string_view isa, const Tolerance& tolerance) {
    const Runtime runtime = make_runtime(2, isa, false, &files);
    files.put("/stored.gguf", wide_model(format_of, false).finish());
    files.put("/decoded.gguf", wide_model(format_of, true).finish());
    const Model stored = Model::open(runtime, "/stored.gguf"), decoded = Model::open(runtime, "/decoded.gguf");
    const std::vector<TokenId> prompt = some_tokens(90);
    const GoldenPrompt golden = golden_from(run_prompt(decoded, prompt, 8, kWholePrompt), prompt);
    for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
      INFO("fed as ", feeding.name);
      check_run(golden, run_prompt(stored, prompt, 8, feeding), tolerance);
    }
  }
};

}  // namespace

TEST_CASE("every block format computes what its decoded weights compute, up to 8-bit activations") {
  Twins twins;
  for (const StorageFormat format : kBlockFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    twins.check([=](std::string_view) { return format; }, {}, kEightBit);
  }
}

TEST_CASE("floating formats compute what their decoded weights compute") {
  Twins twins;
  for (const StorageFormat format : kFloatFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    twins.check([=](std::string_view) { return format; }, {}, kFloat32);
  }
}

TEST_CASE("the usual mix of formats computes what its decoded weights compute") {
  Twins twins;
  auto mix = [](std::string_view name) {
    const bool more_bits = name == "output.weight" || name.find("ffn_down") != name.npos;
    return more_bits ? StorageFormat::q6_k : StorageFormat::q4_k;
  };
  twins.check(mix, {}, kEightBit);
}

TEST_CASE("every instruction set computes every block format") {
  Twins twins;
  for (const std::string_view isa : {"scalar", "avx2", "avx512", "avx512_vnni"}) {
    if (make_runtime(1, isa).isa() != isa) {
      MESSAGE("not on this machine: " << std::string(isa));
      continue;
    }
    INFO("instruction set ", std::string(isa));
    for (const StorageFormat format : kBlockFormats) {
      INFO("format ", std::string(storage_layout(format).name));
      twins.check([=](std::string_view) { return format; }, isa, kEightBit);
    }
  }
}

TEST_CASE("quantised models give the same bits on one thread and on two") {
  MemoryFileSystem files;
  const std::vector<TokenId> prompt = some_tokens(70);
  for (const StorageFormat format : kBlockFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    files.put("/model.gguf", wide_model([=](std::string_view) { return format; }, false).finish());
    const Model one = Model::open(make_runtime(1, {}, false, &files), "/model.gguf");
    const Model two = Model::open(make_runtime(2, {}, false, &files), "/model.gguf");
    for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
      check_same_bits(run_prompt(one, prompt, 8, feeding), run_prompt(two, prompt, 8, feeding));
    }
  }
}

TEST_CASE("a quantised model's bits do not depend on chunks with the invariant option") {
  MemoryFileSystem files;
  const std::vector<TokenId> prompt = some_tokens(70);
  const Runtime runtime = make_runtime(2, {}, true, &files);
  for (const StorageFormat format : kBlockFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    files.put("/model.gguf", wide_model([=](std::string_view) { return format; }, false).finish());
    const Model model = Model::open(runtime, "/model.gguf");
    const ModelRun whole = run_prompt(model, prompt, 8, kWholePrompt);
    for (const Feeding& feeding : {kTokenByToken, Feeding{"chunks of 7", 7}}) {
      INFO("fed as ", feeding.name);
      check_same_bits(whole, run_prompt(model, prompt, 8, feeding));
    }
  }
}
