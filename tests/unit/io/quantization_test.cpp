#include "io/quantization.hpp"

#include <doctest/doctest.h>

#include "io/json.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"

using namespace fathom;
using fathom::test::MemoryFileSystem;
using io::quantization_method;

namespace {

// A folder of this config.json and one tensor of this name.
io::Checkpoint folder(const std::string& config, std::string_view tensor = "model.layers.0.mlp.up_proj.weight") {
  test::SafetensorsWriter weights;
  weights.add(tensor, "U8", {1}, std::string("x"));
  MemoryFileSystem files;
  files.put("m/config.json", config);
  files.put("m/model.safetensors", weights.finish());
  return io::open_checkpoint(files, "m");
}

}  // namespace

TEST_CASE("a checkpoint names the method of its quantisation, at the top or in its text model") {
  CHECK(quantization_method(folder(R"({"quantization_config": {"quant_method": "awq", "bits": 4}})")) == "awq");
  CHECK(quantization_method(folder(R"({"text_config": {"quantization_config": {"quant_method": "gptq"}}})")) == "gptq");
  CHECK(quantization_method(folder(R"({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})")) ==
        "fp8");
}

TEST_CASE("a checkpoint that names no method has none") {
  for (const std::string config : {"{}", R"({"quantization_config": null})", R"({"quantization_config": {}})",
                                   R"({"quantization_config": {"quant_method": 7}})", R"({"quantization_config": "awq"})",
                                   R"({"quantization_config": {"load_in_8bit": false, "load_in_4bit": false}})"}) {
    CAPTURE(config);
    CHECK(quantization_method(folder(config)).empty());
  }
}

TEST_CASE("where config.json is silent, older keys and the names of tensors tell the method") {
  CHECK(quantization_method(folder(R"({"quantization_config": {"load_in_4bit": true}})")) == "bitsandbytes");
  CHECK(quantization_method(folder("{}", "model.layers.0.self_attn.q_proj.qweight")) == "gptq or awq");
  CHECK(quantization_method(folder("{}", "model.layers.0.self_attn.q_proj.weight_packed")) == "compressed-tensors");
  CHECK(quantization_method(folder("{}", "model.layers.0.self_attn.q_proj.weight.absmax")) == "bitsandbytes");
}

TEST_CASE("a folder opened for text alone is asked by its documents") {
  io::Checkpoint text = folder(R"({"quantization_config": {"quant_method": "awq"}})");
  text.tensors = nullptr;
  CHECK(quantization_method(text) == "awq");
  text.config = io::parse_json("{}", "config.json");
  CHECK(quantization_method(text).empty());
}
