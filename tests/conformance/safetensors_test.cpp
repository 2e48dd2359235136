// Every fixture against the reference's numbers, through the public API, however the prompt is fed and whatever computes.
#include <doctest/doctest.h>

#include <array>
#include <string_view>

#include "conformance/checks.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

const std::array kChunks = {Feeding{"chunks of 1", 1, false, 0}, Feeding{"chunks of 7", 7, false, 0},
                            Feeding{"chunks of 64", 64, false, 0}};

Model open_fixture(const Runtime& runtime, const std::string& name) { return Model::open(runtime, conformance_folder(name)); }

// The prompt of about 17 tokens: long enough for every mechanism but the longest windows.
const GoldenPrompt& short_prompt(const std::vector<GoldenPrompt>& prompts) { return prompts.at(1); }

}  // namespace

TEST_CASE("every fixture of the supported families is there and none is left out") {
  CHECK(model_folders() == expected_models());
}

TEST_CASE("a whole prompt at once gives the reference's logits, experts and continuation") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    check_model(open_fixture(runtime, name), read_golden(conformance_folder(name)), kWholePrompt, CacheFormat::f32, kFloat32);
  }
}

TEST_CASE("token by token gives the reference's logits, experts and continuation") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    check_model(open_fixture(runtime, name), read_golden(conformance_folder(name)), kTokenByToken, CacheFormat::f32, kFloat32);
  }
}

TEST_CASE("chunks of any size give the reference's logits, experts and continuation") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model model = open_fixture(runtime, name);
    const auto prompts = read_golden(conformance_folder(name));
    for (const Feeding& chunks : kChunks) check_model(model, prompts, chunks, CacheFormat::f32, kFloat32);
  }
}

TEST_CASE("a cache of half the bytes stays within its tolerance") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model model = open_fixture(runtime, name);
    const auto prompts = read_golden(conformance_folder(name));
    for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
      check_model(model, prompts, feeding, CacheFormat::f16, kFloat16);
      check_model(model, prompts, feeding, CacheFormat::bf16, kBFloat16);
    }
  }
}

TEST_CASE("a cache of 8 bits stays within its tolerance, where heads are multiples of its blocks") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    if (name != "deepseek-v3-fp8") continue;
    const Model model = open_fixture(runtime, name);
    const auto prompts = read_golden(conformance_folder(name));
    for (const Feeding& feeding : {kWholePrompt, kTokenByToken})
      check_model(model, prompts, feeding, CacheFormat::q8_0, kEightBit);
  }
}

TEST_CASE("one thread and two give the same bits") {
  const Runtime one = make_runtime(1);
  const Runtime two = make_runtime(2);
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model on_one = open_fixture(one, name);
    const Model on_two = open_fixture(two, name);
    for (const GoldenPrompt& prompt : read_golden(conformance_folder(name))) {
      INFO("prompt ", prompt.id);
      for (const Feeding& feeding : {kWholePrompt, kTokenByToken, kChunks[1]}) {
        INFO("fed as ", feeding.name);
        check_same_bits(run_prompt(on_one, prompt.input_ids, 8, feeding), run_prompt(on_two, prompt.input_ids, 8, feeding));
      }
    }
  }
}

TEST_CASE("a run that pauses after every unit of work gives the same bits") {
  const Runtime runtime = make_runtime();
  const Feeding paused{"whole prompt, pausing", 512, false, 1};
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model model = open_fixture(runtime, name);
    const std::vector<GoldenPrompt> prompts = read_golden(conformance_folder(name));
    const GoldenPrompt& prompt = short_prompt(prompts);
    check_same_bits(run_prompt(model, prompt.input_ids, 4, kWholePrompt), run_prompt(model, prompt.input_ids, 4, paused));
  }
}

TEST_CASE("with the invariant option the bits do not depend on how the prompt is cut") {
  const Runtime runtime = make_runtime(2, {}, true);
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const Model model = open_fixture(runtime, name);
    for (const GoldenPrompt& prompt : read_golden(conformance_folder(name))) {
      const ModelRun whole = run_prompt(model, prompt.input_ids, std::int64_t(prompt.greedy.size()), kWholePrompt);
      check_run(prompt, whole, kFloat32);
      INFO("prompt ", prompt.id);
      for (const Feeding& feeding : {kTokenByToken, kChunks[0], kChunks[1], kChunks[2]}) {
        INFO("fed as ", feeding.name);
        check_same_bits(whole, run_prompt(model, prompt.input_ids, std::int64_t(prompt.greedy.size()), feeding));
      }
    }
  }
}

TEST_CASE("every instruction set this machine has gives the reference's numbers") {
  for (const std::string_view isa : {"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"}) {
    const Runtime runtime = make_runtime(2, isa);
    if (runtime.isa() != isa) {
      MESSAGE("not on this machine: " << std::string(isa));
      continue;
    }
    INFO("instruction set ", std::string(isa));
    for (const std::string& name : selected_models()) {
      INFO("model ", name);
      const Model model = open_fixture(runtime, name);
      const auto prompts = read_golden(conformance_folder(name));
      for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
        check_model(model, {short_prompt(prompts)}, feeding, CacheFormat::f32, kFloat32);
      }
      // One of each kind of attention and feed-forward is enough for the long prompts.
      if (name != "llama3" && name != "deepseek-v3" && name != "gpt-oss-mxfp4") continue;
      check_model(model, prompts, kWholePrompt, CacheFormat::f32, kFloat32);
    }
  }
}

TEST_CASE("the model's information is that of its configuration") {
  const Runtime runtime = make_runtime();
  for (const std::string& name : selected_models()) {
    INFO("model ", name);
    const ModelInfo info = open_fixture(runtime, name).info();
    const std::vector<GoldenPrompt> prompts = read_golden(conformance_folder(name));
    const GoldenPrompt& prompt = short_prompt(prompts);
    CHECK(info.container == "huggingface");
    CHECK(info.vocab_size == prompt.vocab_size);
    CHECK(info.hidden_size == read_golden_hidden(conformance_folder(name)).hidden_size);
    CHECK_FALSE(info.has_tokenizer);
    CHECK((info.experts > 0) == !prompt.routers.empty());
    if (!prompt.routers.empty()) CHECK(info.experts_per_token == prompt.routers.front().per_token);
  }
}
