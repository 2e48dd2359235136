// Every block format of GGUF in a whole model, against the same model with its weights decoded to F32: what is left between
// the two is the rounding of activations to 8 bits.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

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
  for (int layer = 0; layer < 2; ++layer) {
    GoldenRouter router{layer, 0, {}, {}};
    for (const Route& route : run.routes) {
      if (route.layer != layer || route.position >= golden.length()) continue;
      router.per_token = std::int64_t(route.experts.size());
      router.ids.insert(router.ids.end(), route.experts.begin(), route.experts.end());
      router.weights.insert(router.weights.end(), route.weights.begin(), route.weights.end());
    }
    if (!router.ids.empty()) golden.routers.push_back(router);
  }
  return golden;
}

// The wide model with one format throughout; made once, as several tests want it.
const std::string& wide_file(StorageFormat format, bool dequantised) {
  static std::map<std::pair<StorageFormat, bool>, std::string> files;
  std::string& file = files[{format, dequantised}];
  if (file.empty()) file = wide_model([format](std::string_view) { return format; }, dequantised).finish();
  return file;
}

// A model in its storage formats and the same with those weights decoded to F32.
class Twins {
 public:
  explicit Twins(const FormatChoice& format_of, WideShape shape = WideShape::deepseek) {
    files_.put("/stored.gguf", wide_model(format_of, false, shape).finish());
    files_.put("/decoded.gguf", wide_model(format_of, true, shape).finish());
  }
  explicit Twins(StorageFormat format) {
    files_.put("/stored.gguf", wide_file(format, false));
    files_.put("/decoded.gguf", wide_file(format, true));
  }

  void check(std::string_view isa, int prompt_length, const Tolerance& tolerance) {
    const Runtime runtime = make_runtime(2, isa, false, &files_);
    const Model stored = Model::open(runtime, "/stored.gguf"), decoded = Model::open(runtime, "/decoded.gguf");
    const std::vector<TokenId> prompt = some_tokens(prompt_length);
    const GoldenPrompt golden = golden_from(run_prompt(decoded, prompt, 6, kWholePrompt), prompt);
    for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
      INFO("fed as ", feeding.name);
      check_run(golden, run_prompt(stored, prompt, 6, feeding), tolerance);
    }
  }

 private:
  MemoryFileSystem files_;
};

}  // namespace

TEST_CASE("every block format computes what its decoded weights compute, up to 8-bit activations") {
  for (const StorageFormat format : kBlockFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    Twins(format).check({}, 90, kEightBit);
  }
}

TEST_CASE("a Q8_0 cache computes what an F32 cache computes, up to its rounding, on every instruction set") {
  MemoryFileSystem files;
  const std::vector<TokenId> prompt = some_tokens(90);
  for (const WideShape shape : {WideShape::deepseek, WideShape::llama, WideShape::mixtral}) {
    for (const StorageFormat weights : {StorageFormat::bf16, StorageFormat::q8_0}) {
      files.put("/model.gguf", wide_model([&](std::string_view) { return weights; }, false, shape).finish());
      for (const std::string_view isa : {"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"}) {
        const Runtime runtime = make_runtime(2, isa, false, &files);
        if (runtime.isa() != isa) continue;
        INFO("shape ", int(shape));
        INFO("weights ", std::string(storage_layout(weights).name));
        INFO("instruction set ", std::string(isa));
        const Model model = Model::open(runtime, "/model.gguf");
        const ModelRun exact = run_prompt(model, prompt, 6, kWholePrompt, CacheFormat::f32);
        for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
          const ModelRun coarse = run_prompt(model, prompt, 6, feeding, CacheFormat::q8_0);
          check_run(golden_from(exact, prompt), coarse, kEightBit);
          CHECK(max_abs_difference(exact.logits, coarse.logits) > 0.0);
        }
      }
    }
  }
}

TEST_CASE("floating formats compute what their decoded weights compute") {
  for (const StorageFormat format : kFloatFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    Twins(format).check({}, 90, kFloat32);
  }
}

TEST_CASE("the usual mix of formats computes what its decoded weights compute") {
  const FormatChoice mix = [](std::string_view name) {
    const bool more_bits = name == "output.weight" || name.find("ffn_down") != name.npos;
    return more_bits ? StorageFormat::q6_k : StorageFormat::q4_k;
  };
  Twins(mix).check({}, 90, kEightBit);
}

namespace {

// Experts of one layer in formats of their own: gate, up and down of expert e take formats[e], formats[e + 1], formats[e + 2].
FormatChoice expert_formats(const std::vector<StorageFormat>& formats, StorageFormat others) {
  return [formats, others](std::string_view name) {
    const std::size_t at = name.find("ffn_");
    const std::size_t dot = at == name.npos ? name.npos : name.find('.', at);
    if (dot == name.npos || name[dot + 1] < '0' || name[dot + 1] > '9') return others;
    const std::string_view part = name.substr(at + 4, dot - at - 4);
    const std::size_t turn = part == "gate" ? 0 : part == "up" ? 1 : 2;
    return formats[(std::size_t(name[dot + 1] - '0') + turn) % formats.size()];
  };
}

}  // namespace

TEST_CASE("experts of one layer may differ in format, each matrix from the next, on every instruction set") {
  using enum StorageFormat;
  const std::vector<std::vector<StorageFormat>> choices = {{f16, q8_0, q8_0, q8_0},
                                                           {q8_0, f32, f32, f32},
                                                           {q4_k, f16, bf16, q6_k},
                                                           {f32, mxfp4, q5_0, bf16},
                                                           {bf16, bf16, bf16, q4_0}};
  for (const std::vector<StorageFormat>& formats : choices) {
    for (const StorageFormat others : {f16, q8_0}) {
      Twins twins(expert_formats(formats, others), WideShape::separate);
      for (const std::string_view isa : {"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"}) {
        if (make_runtime(1, isa).isa() != isa) continue;
        INFO("first expert ", std::string(storage_layout(formats[0]).name), ", instruction set ", std::string(isa));
        twins.check(isa, 90, kEightBit);
      }
    }
  }
}

TEST_CASE("layers whose experts differ in format give the same bits on one thread and on two") {
  using enum StorageFormat;
  MemoryFileSystem files;
  const std::vector<TokenId> prompt = some_tokens(70);
  files.put("/model.gguf", wide_model(expert_formats({q8_0, f32, q4_k, f16}, q8_0), false, WideShape::separate).finish());
  const Model one = Model::open(make_runtime(1, {}, false, &files), "/model.gguf");
  const Model two = Model::open(make_runtime(2, {}, false, &files), "/model.gguf");
  for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
    check_same_bits(run_prompt(one, prompt, 8, feeding), run_prompt(two, prompt, 8, feeding));
  }
}

TEST_CASE("every instruction set computes every block format") {
  std::vector<std::string> here;
  for (const std::string isa : {"scalar", "avx2", "avx512", "avx512_vnni"}) {
    if (make_runtime(1, isa).isa() == isa) {
      here.push_back(isa);
    } else {
      MESSAGE("not on this machine: " << isa);
    }
  }
  REQUIRE(!here.empty());
  for (const StorageFormat format : kBlockFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    Twins twins(format);
    for (const std::string& isa : here) {
      INFO("instruction set ", isa);
      twins.check(isa, 12, kEightBit);
    }
  }
}

TEST_CASE("quantised models give the same bits on one thread and on two") {
  MemoryFileSystem files;
  const std::vector<TokenId> prompt = some_tokens(70);
  for (const StorageFormat format : kBlockFormats) {
    INFO("format ", std::string(storage_layout(format).name));
    files.put("/model.gguf", wide_file(format, false));
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
    files.put("/model.gguf", wide_file(format, false));
    const Model model = Model::open(runtime, "/model.gguf");
    const ModelRun whole = run_prompt(model, prompt, 8, kWholePrompt);
    for (const Feeding& feeding : {kTokenByToken, Feeding{"chunks of 7", 7, false, 0}}) {
      INFO("fed as ", feeding.name);
      check_same_bits(whole, run_prompt(model, prompt, 8, feeding));
    }
  }
}
