// The fixtures again, converted to GGUF by the test: the same numbers from the other container, in every storage format.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "conformance/checks.hpp"
#include "support/compare.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

// Files in memory and a runtime that reads them.
struct MemoryHost {
  MemoryFileSystem files;
  Runtime runtime = make_runtime(2, {}, false, &files);

  Model open(const GgufWriter& writer) {
    files.put("/models/model.gguf", writer.finish());
    return Model::open(runtime, "/models/model.gguf");
  }
  Model open_converted(const std::string& name, const GgufConversion& conversion = {}) {
    return open(convert_to_gguf(conformance_folder(name), conversion));
  }
};

std::vector<std::string> convertible_models() {
  std::vector<std::string> names;
  for (const std::string& name : selected_models()) {
    if (has_gguf_form(name)) names.push_back(name);
  }
  return names;
}

// What the checkpoint's matrices are stored in; F32 for FP8, which GGUF has no type for.
StorageFormat own_format(const std::string& name) {
  return name == "deepseek-v3-fp8"                                 ? StorageFormat::f32
         : name == "deepseek-v3-nogroup" || name == "llama-linear" ? StorageFormat::f16
                                                                   : StorageFormat::bf16;
}

bool latent(const std::string& name) { return name.starts_with("deepseek-v"); }

void check_all(const Model& model, const std::string& name, const Tolerance& tolerance) {
  const auto prompts = read_golden(conformance_folder(name));
  for (const Feeding& feeding : {kWholePrompt, kTokenByToken}) {
    check_model(model, prompts, feeding, CacheFormat::f32, tolerance);
  }
}

}  // namespace

TEST_CASE("a GGUF file in F32 gives the reference's numbers") {
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    INFO("model ", name);
    check_all(host.open_converted(name), name, kFloat32);
  }
}

TEST_CASE("a GGUF file in the checkpoint's own type gives the reference's numbers and the safetensors model's") {
  MemoryHost host;
  const Runtime runtime = make_runtime();
  for (const std::string& name : convertible_models()) {
    INFO("model ", name);
    const Model from_gguf = host.open_converted(name, {.matrices = own_format(name)});
    check_all(from_gguf, name, kFloat32);
    const Model from_safetensors = Model::open(runtime, conformance_folder(name));
    CHECK(from_gguf.info().container == "gguf");
    for (const GoldenPrompt& prompt : read_golden(conformance_folder(name))) {
      const ModelRun a = run_prompt(from_gguf, prompt.input_ids, 0, kWholePrompt);
      const ModelRun b = run_prompt(from_safetensors, prompt.input_ids, 0, kWholePrompt);
      // The same weights: only rotary pairs may be added up in another order.
      CHECK(max_abs_difference(a.logits, b.logits) <= 2e-4);
    }
  }
}

TEST_CASE("a GGUF file in Q8_0 stays within the tolerance of 8-bit arithmetic") {
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    INFO("model ", name);
    check_all(host.open_converted(name, {.matrices = StorageFormat::q8_0}), name, kEightBit);
  }
}

// As those make who choose a type for some tensors themselves.
TEST_CASE("a GGUF file whose gate and up projections are of different types gives the reference's numbers") {
  using enum StorageFormat;
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    INFO("model ", name);
    for (const auto& [matrices, ups] : {std::pair{q8_0, f32}, {f32, q8_0}, {q8_0, bf16}, {bf16, q8_0}}) {
      check_all(host.open_converted(name, {.matrices = matrices, .ups = ups}), name, kEightBit);
    }
    for (const auto& [matrices, ups] : {std::pair{own_format(name), f32}, {f32, own_format(name)}}) {
      check_all(host.open_converted(name, {.matrices = matrices, .ups = ups}), name, kFloat32);
    }
  }
}

TEST_CASE("MLA's up-projection in one tensor or in two gives the reference's numbers") {
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    if (!latent(name)) continue;
    INFO("model ", name);
    for (const bool split : {true, false}) {
      INFO("split: ", split);
      check_all(host.open_converted(name, {.split_latent = split}), name, kFloat32);
      check_all(host.open_converted(name, {.matrices = StorageFormat::q8_0, .split_latent = split}), name, kEightBit);
    }
  }
}

TEST_CASE("an older file without a gating function takes it from the correction bias") {
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    if (!latent(name)) continue;
    INFO("model ", name);
    check_all(host.open_converted(name, {.gating_function = false}), name, kFloat32);
  }
}

TEST_CASE("MXFP4 experts give the same numbers dequantised") {
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    if (name != "gpt-oss-mxfp4") continue;
    check_all(host.open_converted(name, {.keep_mxfp4 = false}), name, kFloat32);
  }
}

TEST_CASE("a file in two or three parts is the same model") {
  MemoryHost host;
  for (const std::string& name : convertible_models()) {
    INFO("model ", name);
    const GgufWriter writer = convert_to_gguf(conformance_folder(name), {.matrices = own_format(name)});
    const Model whole = host.open(writer);
    const GoldenPrompt prompt = read_golden(conformance_folder(name)).at(1);
    for (const int parts : {2, 3}) {
      const auto files = writer.finish_split(parts);
      for (int part = 0; part < parts; ++part) {
        host.files.put("/models/" + GgufWriter::split_name("parted", part, parts), files[std::size_t(part)]);
      }
      const Model parted = Model::open(host.runtime, "/models/" + GgufWriter::split_name("parted", 0, parts));
      check_same_bits(run_prompt(whole, prompt.input_ids, 4, kWholePrompt),
                      run_prompt(parted, prompt.input_ids, 4, kWholePrompt));
    }
  }
}
