#include "model/config/config_reader.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "io/json.hpp"
#include "model/families/common.hpp"
#include "support/check_error.hpp"

using namespace fathom;
using model::Config;
using model::ConfigReader;
using test::check_error;

namespace {

io::Value json(std::string_view text) { return io::parse_json(text, "test"); }

io::Checkpoint folder(std::string_view config) {
  io::Checkpoint checkpoint;
  checkpoint.path = "m";
  checkpoint.config = json(config);
  return checkpoint;
}

// rope_scaling read into a configuration of 1,024 positions.
Config with_scaling(std::string_view config) {
  const io::Value value = json(config);
  Config c;
  c.max_position_embeddings = 1024;
  model::read_rope_scaling_huggingface(ConfigReader(value, "m/config.json"), c);
  return c;
}

constexpr std::string_view kCommon =
    R"("num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 100, "num_attention_heads": 4)";

}  // namespace

TEST_CASE("values are read, and what is absent or null takes its default") {
  const io::Value value = json(R"({"a": 3, "b": 2.5, "c": true, "d": "text", "e": null, "f": 7.0})");
  const ConfigReader r(value, "m/config.json");
  CHECK(r.integer("a") == 3);
  CHECK(r.integer("f") == 7);  // an integer, however it is written
  CHECK(r.integer("e", 9) == 9);
  CHECK(r.integer("missing", 9) == 9);
  CHECK(r.number("b") == 2.5);
  CHECK(r.number("a") == 3.0);
  CHECK(r.boolean("c", false));
  CHECK_FALSE(r.boolean("missing", false));
  CHECK(r.text("d", "x") == "text");
  CHECK(r.text("e", "x") == "x");
  CHECK_FALSE(r.has("e"));
}

TEST_CASE("a value of the wrong kind is refused by file and key") {
  const io::Value value = json(R"({"a": "3", "b": 2.5, "c": 1, "d": 4, "e": [1, 2], "n": NaN})");
  const ConfigReader r(value, "m/config.json");
  check_error(Status::corrupt_file, {"m/config.json", "'gone'", "missing"}, [&] { r.integer("gone"); });
  check_error(Status::corrupt_file, {"m/config.json", "'a'", "an integer"}, [&] { r.integer("a"); });
  check_error(Status::corrupt_file, {"'b'", "an integer"}, [&] { r.integer("b"); });
  check_error(Status::corrupt_file, {"'a'", "a finite number"}, [&] { r.number("a"); });
  check_error(Status::corrupt_file, {"'n'", "a finite number"}, [&] { r.number("n"); });
  check_error(Status::corrupt_file, {"'c'", "true or false"}, [&] { r.boolean("c", true); });
  check_error(Status::corrupt_file, {"'d'", "a string"}, [&] { r.text("d", ""); });
  check_error(Status::corrupt_file, {"'d'", "an object"}, [&] { r.member("d"); });
}

TEST_CASE("integers that no size has are refused before anything adds them") {
  const io::Value value = json(R"({"large": 9223372036854775807, "small": -9223372036854775808})");
  const ConfigReader r(value, "m/config.json");
  check_error(Status::corrupt_file, {"'large'"}, [&] { r.integer("large"); });
  check_error(Status::corrupt_file, {"'small'"}, [&] { r.integer("small"); });
}

TEST_CASE("a number for each layer stands for one number when all are equal, and is refused when not") {
  const io::Value value = json(R"({"same": [8, 8, 8], "mixed": [8, 4, 8], "none": []})");
  const ConfigReader r(value, "m.gguf");
  CHECK(r.integer("same") == 8);
  check_error(Status::corrupt_file, {"m.gguf", "'mixed'"}, [&] { r.integer("mixed"); });
  check_error(Status::corrupt_file, {"'none'"}, [&] { r.integer("none"); });
}

TEST_CASE("a member's complaints name the member") {
  const io::Value value = json(R"({"rope_scaling": {"factor": "x"}})");
  const ConfigReader r(value, "m/config.json");
  check_error(Status::corrupt_file, {"m/config.json", "'rope_scaling'", "'factor'"},
              [&] { r.member("rope_scaling").number("factor"); });
  CHECK_FALSE(r.member("gone").has("factor"));
}

TEST_CASE("a configuration that wraps a language model is read inside") {
  const io::Checkpoint wrapped = folder(R"({"text_config": {"num_hidden_layers": 5}})");
  CHECK(model::huggingface_config(wrapped).integer("num_hidden_layers") == 5);
  const io::Checkpoint plain = folder(R"({"num_hidden_layers": 6, "text_config": {"num_hidden_layers": 5}})");
  CHECK(model::huggingface_config(plain).integer("num_hidden_layers") == 6);
}

TEST_CASE("GGUF keys carry the architecture in front, in complaints too") {
  io::Checkpoint checkpoint = folder(R"({"general.architecture": "llama", "llama.block_count": 3})");
  checkpoint.container = io::Container::gguf;
  const ConfigReader r = model::gguf_config(checkpoint);
  CHECK(r.integer("block_count") == 3);
  check_error(Status::corrupt_file, {"m:", "'llama.embedding_length'"}, [&] { r.integer("embedding_length"); });
}

TEST_CASE("what is left out of a configuration has the classes' defaults") {
  const io::Value value = json("{" + std::string(kCommon) + "}");
  const Config c = model::read_common_huggingface(ConfigReader(value, "m/config.json"), {});
  CHECK(c.attention.kv_heads == 4);
  CHECK(c.attention.head_dim == 16);
  CHECK(c.attention.v_head_dim == 16);
  CHECK(c.rope().dims == 16);
  CHECK(c.rope().theta == 10000.0);
  CHECK_FALSE(c.tie_word_embeddings);
  REQUIRE(c.layers.size() == 2);
  CHECK(c.layers[1].attention.sliding_window == 0);
  CHECK(c.attention.softmax_scale == doctest::Approx(0.25));
  const io::Value newer = json("{" + std::string(kCommon) + R"(, "rope_parameters": {"rope_theta": 5e5}})");
  CHECK(model::read_common_huggingface(ConfigReader(newer, "m"), {}).rope().theta == 5e5);
}

TEST_CASE("what would have to be computed otherwise is refused instead of read over") {
  const auto refused = [](const std::string& more, std::string_view named) {
    const io::Value value = json("{" + std::string(kCommon) + ", " + more + "}");
    check_error(Status::unsupported, {"m/config.json", named},
                [&] { model::read_common_huggingface(ConfigReader(value, "m/config.json"), {}); });
  };
  refused(R"("hidden_act": "gelu_pytorch_tanh")", "hidden_act 'gelu_pytorch_tanh'");
  refused(R"("partial_rotary_factor": 0.5)", "partial_rotary_factor 0.5");
  const io::Value usual =
      json("{" + std::string(kCommon) + R"(, "hidden_act": "silu", "mlp_bias": false, "partial_rotary_factor": 1.0})");
  CHECK(model::read_common_huggingface(ConfigReader(usual, "m"), {}).hidden_size == 64);
}

TEST_CASE("no heads are refused before anything is divided by them") {
  const io::Value value = json(R"({"num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 100, "num_attention_heads": 0})");
  check_error(Status::corrupt_file, {"num_attention_heads is 0"},
              [&] { model::read_common_huggingface(ConfigReader(value, "m"), {}); });
}

TEST_CASE("rope scaling is read in every spelling") {
  CHECK(with_scaling(R"({"rope_scaling": null})").rope().scaling == nn::RopeScaling::none);
  CHECK(with_scaling(R"({"rope_scaling": {"rope_type": "default"}})").rope().scaling == nn::RopeScaling::none);
  const Config linear = with_scaling(R"({"rope_scaling": {"type": "linear", "factor": 4.0}})");
  CHECK(linear.rope().scaling == nn::RopeScaling::linear);
  CHECK(linear.rope().factor == 4.0);
  const Config llama3 = with_scaling(
      R"({"rope_scaling": {"rope_type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4,
          "original_max_position_embeddings": 8192}})");
  CHECK(llama3.rope().scaling == nn::RopeScaling::llama3);
  CHECK(llama3.rope().original_context == 8192);
  const Config newer = with_scaling(R"({"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "truncate": false}})");
  CHECK(newer.rope().scaling == nn::RopeScaling::yarn);
  CHECK_FALSE(newer.rope().truncate);
  CHECK(newer.rope().original_context == 1024);  // the model's own, where none is given
  check_error(Status::unsupported, {"'dynamic'", "yarn"}, [] { with_scaling(R"({"rope_scaling": {"type": "dynamic"}})"); });
}

TEST_CASE("YaRN's factor on cos and sin is the quotient of two magnitudes, a given number, or the magnitude") {
  const auto factor = [](const std::string& more) {
    return double(with_scaling(R"({"rope_scaling": {"type": "yarn", "factor": 40)" + more + "}}").rope().cos_sin_factor);
  };
  const double log40 = std::log(40.0);
  CHECK(factor("") == doctest::Approx(0.1 * log40 + 1));
  CHECK(factor(R"(, "mscale": 1.0, "mscale_all_dim": 1.0)") == doctest::Approx(1.0));
  CHECK(factor(R"(, "mscale": 1.0, "mscale_all_dim": 0.5)") == doctest::Approx((0.1 * log40 + 1) / (0.05 * log40 + 1)));
  CHECK(factor(R"(, "attention_factor": 0.75)") == doctest::Approx(0.75));
  // R1-0528-Qwen3-8B spells the reciprocal of the magnitude.
  const double qwen =
      double(with_scaling(R"({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attn_factor": 0.8782488562869419}})")
                 .rope()
                 .cos_sin_factor);
  CHECK(qwen == doctest::Approx(1.0).epsilon(1e-6));
}
