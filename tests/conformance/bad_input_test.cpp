// What a caller or a file may get wrong: each is refused with an Error that names the culprit, and a model that was open
// before computes the same afterwards.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "conformance/checks.hpp"
#include "io/open.hpp"
#include "platform/os_file_system.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

std::string read_text(const std::string& path) {
  const auto file = os_file_system().open(path);
  std::string text(std::size_t(file->size()), '\0');
  file->read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

// A checkpoint whose parts a test may change before it is written.
struct EditableCheckpoint {
  struct Tensor {
    std::string name, type;
    std::vector<std::int64_t> shape;
    std::string bytes;
  };
  std::string config;
  std::vector<Tensor> tensors;

  explicit EditableCheckpoint(const std::string& model) : config(read_text(conformance_folder(model) + "/config.json")) {
    const io::Checkpoint checkpoint = io::open_checkpoint(os_file_system(), conformance_folder(model));
    for (const io::TensorInfo& info : checkpoint.tensors->tensors()) {
      const auto bytes = checkpoint.tensors->bytes(info);
      tensors.push_back({info.name, info.type_name, info.shape, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
    }
  }

  Tensor& tensor(const std::string& name) {
    for (Tensor& one : tensors) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no tensor " + name);
  }
  void remove_tensor(const std::string& name) {
    std::erase_if(tensors, [&](const Tensor& one) { return one.name == name; });
  }
  void set_key(const std::string& key, const std::string& json) {
    const std::regex entry("\"" + key + "\"\\s*:\\s*(\\[[^\\]]*\\]|[^,}\n]*)");
    REQUIRE(std::regex_search(config, entry));
    config = std::regex_replace(config, entry, "\"" + key + "\": " + json);
  }
  void remove_key(const std::string& key) {
    const std::regex entry("\"" + key + "\"\\s*:");
    REQUIRE(std::regex_search(config, entry));
    config = std::regex_replace(config, entry, "\"no_" + key + "\":");
  }
  std::string weights() const {
    SafetensorsWriter writer;
    for (const Tensor& one : tensors) writer.add(one.name, one.type, one.shape, one.bytes);
    return writer.finish();
  }
};

// Throws nothing itself: the error that `action` threw, or a failed check.
Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  FAIL_CHECK("nothing was thrown");
  return Error(Status::ok, "");
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

void check_names(const Error& error, const std::string& culprit) {
  INFO("message: ", error.message());
  CHECK(contains(error.message(), culprit));
  CHECK(error.status() != Status::internal);
}

// A runtime on files in memory, with a bystander: a good model whose numbers must stay what they are.
class Stage {
 public:
  Stage() : bystander_(Model::open(runtime_, conformance_folder_copy())), expected_(run_bystander()) {}
  ~Stage() { check_same_bits(expected_, run_bystander()); }

  Model open(const EditableCheckpoint& checkpoint, const ModelOptions& options = {}) {
    files_.put("/models/bad/config.json", checkpoint.config);
    files_.put("/models/bad/model.safetensors", checkpoint.weights());
    return Model::open(runtime_, "/models/bad", options);
  }
  Model open_weights(const EditableCheckpoint& checkpoint, const std::string& weights) {
    files_.put("/models/bad/config.json", checkpoint.config);
    files_.put("/models/bad/model.safetensors", weights);
    return Model::open(runtime_, "/models/bad");
  }
  Model open_gguf(const std::string& bytes, const ModelOptions& options = {}) {
    files_.put("/models/bad.gguf", bytes);
    return Model::open(runtime_, "/models/bad.gguf", options);
  }
  Error refused(const EditableCheckpoint& checkpoint, const ModelOptions& options = {}) {
    return error_of([&] { open(checkpoint, options); });
  }
  const Model& model() const { return bystander_; }
  const Runtime& runtime() const { return runtime_; }

 private:
  std::string conformance_folder_copy() {
    const EditableCheckpoint good("llama-linear");
    files_.put("/models/good/config.json", good.config);
    files_.put("/models/good/model.safetensors", good.weights());
    return "/models/good";
  }
  ModelRun run_bystander() const {
    const std::vector<TokenId> prompt = {5, 77, 200, 31};
    return run_prompt(bystander_, prompt, 4, kWholePrompt);
  }

  MemoryFileSystem files_;
  Runtime runtime_ = make_runtime(2, {}, false, &files_);
  Model bystander_;
  ModelRun expected_;
};

// One model of each kind of attention and feed-forward.
const std::vector<std::string> kKinds = {"llama-linear", "deepseek-v3", "mixtral", "gpt-oss-mxfp4", "qwen2"};

std::string cut(const std::string& text, std::size_t bytes) { return text.substr(0, bytes); }

// GGUF bytes of a small model with one thing said differently: any text replaced by another of the same length.
std::string gguf_with(const std::string& model, const std::string& from, const std::string& to) {
  std::string bytes = convert_to_gguf(conformance_folder(model)).finish();
  REQUIRE(from.size() == to.size());
  const std::size_t at = bytes.find(from);
  REQUIRE(at != bytes.npos);
  return bytes.replace(at, from.size(), to);
}

// GGUF bytes with another value for a u32 key.
std::string gguf_with_number(const std::string& model, const std::string& key, std::uint32_t value) {
  std::string bytes = convert_to_gguf(conformance_folder(model)).finish();
  const std::size_t at = bytes.find(key);
  REQUIRE(at != bytes.npos);
  std::memcpy(bytes.data() + at + key.size() + 4, &value, 4);
  return bytes;
}

}  // namespace

TEST_CASE("a checkpoint that lacks any one tensor is refused by that tensor's name") {
  Stage stage;
  for (const std::string& kind : kKinds) {
    const EditableCheckpoint good(kind);
    for (const auto& tensor : good.tensors) {
      const bool has_twin = contains(tensor.name, "_scales") || contains(tensor.name, "_blocks");
      EditableCheckpoint bad = good;
      bad.remove_tensor(tensor.name);
      const Error error = stage.refused(bad);
      // A lost half of an MXFP4 matrix may be reported by the other's name.
      check_names(error, has_twin ? tensor.name.substr(0, tensor.name.rfind('_')) : tensor.name);
    }
  }
}

TEST_CASE("a tensor of another shape is refused by its name and both shapes") {
  Stage stage;
  for (const std::string& kind : kKinds) {
    const EditableCheckpoint good(kind);
    for (const auto& tensor : good.tensors) {
      EditableCheckpoint bad = good;
      auto& shape = bad.tensor(tensor.name).shape;
      if (shape.size() == 1) {
        shape = {1, tensor.shape[0]};
        shape[0] = 2, shape[1] /= 2;
      } else if (shape[0] != shape[1]) {
        std::swap(shape[0], shape[1]);
      } else {
        shape = {shape[0] / 2, shape[1] * 2};
      }
      check_names(stage.refused(bad), tensor.name);
    }
  }
}

TEST_CASE("a tensor of a type that holds no weights is refused by its name") {
  Stage stage;
  EditableCheckpoint bad("llama-linear");
  bad.tensor("model.layers.1.mlp.up_proj.weight").type = "I16";
  check_names(stage.refused(bad), "model.layers.1.mlp.up_proj.weight");
}

TEST_CASE("weights that end early are refused by the file's name") {
  Stage stage;
  const EditableCheckpoint good("deepseek-v3");
  const std::string weights = good.weights();
  for (const std::size_t size :
       {weights.size() - 1, weights.size() / 2, std::size_t(100), std::size_t(8), std::size_t(7), std::size_t(0)}) {
    INFO("bytes left: ", size);
    check_names(error_of([&] { stage.open_weights(good, cut(weights, size)); }), "model.safetensors");
  }
  check_names(error_of([&] { stage.open_weights(good, weights + "x"); }), "model.safetensors");
}

TEST_CASE("an architecture nobody has is refused by its name") {
  Stage stage;
  EditableCheckpoint bad("llama-linear");
  bad.set_key("architectures", "[\"NoSuchForCausalLM\"]");
  bad.set_key("model_type", "\"no_such\"");
  const Error error = stage.refused(bad);
  CHECK(error.status() == Status::unsupported);
  check_names(error, "NoSuchForCausalLM");
  const Error from_gguf = error_of([&] { stage.open_gguf(gguf_with("qwen2", "qwen2", "qwen7")); });
  check_names(from_gguf, "qwen7");
}

TEST_CASE("a configuration that lacks a key without a default in its class is refused by the key") {
  Stage stage;
  EditableCheckpoint bad("deepseek-v2-lite");
  bad.remove_key("num_experts_per_tok");
  check_names(stage.refused(bad), "num_experts_per_tok");
}

TEST_CASE("a configuration that lacks a size has its class's, and a tensor that contradicts it is named") {
  Stage stage;
  for (const std::string key : {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"}) {
    INFO("without ", key);
    EditableCheckpoint bad("llama-linear");
    bad.remove_key(key);
    check_names(stage.refused(bad), "model.");
  }
  for (const std::string key :
       {"kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "moe_intermediate_size"}) {
    INFO("without ", key);
    EditableCheckpoint bad("deepseek-v3");
    bad.remove_key(key);
    check_names(stage.refused(bad), "model.");
  }
}

TEST_CASE("sizes that cannot be are refused by the key before anything is allocated from them") {
  Stage stage;
  const std::vector<std::string> absurd = {"0",  "-1", "9223372036854775807", "4611686018427387904", "1e30", "\"many\"",
                                           "[]", "2.5"};
  const std::vector<std::pair<std::string, std::vector<std::string>>> models = {
      {"llama-linear", {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"}},
      {"deepseek-v3",
       {"kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "n_routed_experts", "num_experts_per_tok",
        "moe_intermediate_size", "n_group", "topk_group"}}};
  for (const auto& [model, keys] : models) {
    for (const std::string& key : keys) {
      for (const std::string& value : absurd) {
        // No experts at all is a dense model: the tensors then contradict it.
        if (key == "n_routed_experts" && value == "0") continue;
        INFO(key, " = ", value);
        EditableCheckpoint bad(model);
        bad.set_key(key, value);
        const Error error = stage.refused(bad);
        INFO("message: ", error.message());
        CHECK((error.status() == Status::corrupt_file || error.status() == Status::unsupported ||
               error.status() == Status::not_found));
        // Some are named in words, and some sizes are possible but contradict a tensor, which is then named.
        CHECK((contains(error.message(), key) || contains(error.message(), "number of experts") ||
               contains(error.message(), "model.")));
      }
    }
  }
}

TEST_CASE("a configuration that is no JSON object is refused by the checkpoint's name") {
  Stage stage;
  for (const std::string text : {"", "{", "[]", "null", "\xff\xfe", "{\"a\":1} trailing"}) {
    INFO("config: ", text);
    EditableCheckpoint bad("llama-linear");
    bad.config = text;
    check_names(stage.refused(bad), "/models/bad");
  }
  EditableCheckpoint deep("llama-linear");
  deep.config = std::string(100000, '[');
  check_names(stage.refused(deep), "config.json");
}

TEST_CASE("weights that are no numbers are refused when verification is on, by the tensor's name") {
  Stage stage;
  const std::uint16_t not_a_number = 0x7e00, infinity = 0x7c00;  // F16
  for (const std::uint16_t bits : {not_a_number, infinity}) {
    for (const std::string name : {"model.layers.2.mlp.down_proj.weight", "model.norm.weight", "model.embed_tokens.weight"}) {
      EditableCheckpoint bad("llama-linear");
      std::string& bytes = bad.tensor(name).bytes;
      std::memcpy(bytes.data() + bytes.size() - 2, &bits, 2);
      const Error error = stage.refused(bad, {.progress = {}, .verify = true});
      CHECK(error.status() == Status::corrupt_file);
      check_names(error, name);
      CHECK_NOTHROW(stage.open(bad));
    }
  }
  CHECK_NOTHROW(stage.open(EditableCheckpoint("llama-linear"), {.progress = {}, .verify = true}));
  CHECK_NOTHROW(stage.open(EditableCheckpoint("deepseek-v3-fp8"), {.progress = {}, .verify = true}));
  CHECK_NOTHROW(stage.open(EditableCheckpoint("gpt-oss-mxfp4"), {.progress = {}, .verify = true}));
}

TEST_CASE("a hostile GGUF file is refused and says where") {
  Stage stage;
  const std::string good = convert_to_gguf(conformance_folder("deepseek-v3")).finish();
  for (const std::size_t size : {good.size() - 40, good.size() / 2, std::size_t(5000), std::size_t(64), std::size_t(3)}) {
    INFO("bytes left: ", size);
    check_names(error_of([&] { stage.open_gguf(cut(good, size)); }), "bad.gguf");
  }
  check_names(
      error_of([&] { stage.open_gguf(gguf_with("deepseek-v3", "blk.1.attn_output.weight", "blk.1.attn_outpux.weight")); }),
      "blk.1.attn_output.weight");
  for (const std::string key : {"deepseek2.block_count", "deepseek2.embedding_length", "deepseek2.attention.head_count"}) {
    for (const std::uint32_t value : {0u, 0xffffffffu}) {
      INFO(key, " = ", value);
      const Error error = error_of([&] { stage.open_gguf(gguf_with_number("deepseek-v3", key, value)); });
      INFO("message: ", error.message());
      CHECK((error.status() == Status::corrupt_file || error.status() == Status::unsupported ||
             error.status() == Status::not_found));
      CHECK(contains(error.message(), "bad.gguf"));
    }
  }
  const std::string key = "deepseek2.attention.kv_lora_rank";
  check_names(error_of([&] { stage.open_gguf(gguf_with("deepseek-v3", key, "deepseek2.attention.kv_lora_rang")); }),
              "kv_lora_rank");
}

TEST_CASE("a path that is no checkpoint is refused by the path") {
  Stage stage;
  check_names(error_of([&] { Model::open(stage.runtime(), "/models/nowhere"); }), "/models/nowhere");
  check_names(error_of([&] { Model::open(stage.runtime(), "/models"); }), "/models");
  check_names(error_of([&] { stage.open_gguf("this is no model at all, just a text of some length"); }), "bad.gguf");
  check_names(error_of([&] { stage.open_gguf(""); }), "bad.gguf");
}

TEST_CASE("a step with nothing to go on is refused, and so is an empty prompt") {
  Stage stage;
  Session session(stage.model());
  CHECK(error_of([&] { session.step(); }).status() == Status::wrong_state);
  session.append({});
  CHECK(error_of([&] { session.step(); }).status() == Status::wrong_state);
  CHECK(error_of([&] { session.logits(); }).status() == Status::wrong_state);
  const std::vector<TokenId> prompt = {1, 2, 3};
  session.append(prompt);
  CHECK(session.step().new_tokens == 1);
}

TEST_CASE("a token outside the vocabulary is refused by its id and nothing is queued") {
  Stage stage;
  Session session(stage.model());
  const auto vocab = TokenId(stage.model().info().vocab_size);
  for (const TokenId id : {-1, vocab, std::numeric_limits<TokenId>::max(), std::numeric_limits<TokenId>::min()}) {
    const std::vector<TokenId> tokens = {1, id};
    const Error error = error_of([&] { session.append(tokens); });
    CHECK(error.status() == Status::invalid_argument);
    check_names(error, std::to_string(id));
    CHECK(session.tokens().empty());
  }
  const std::vector<TokenId> last = {vocab - 1};
  CHECK_NOTHROW(session.append(last));
}

TEST_CASE("a prompt longer than the context is refused and nothing is queued; one that fits exactly is not") {
  Stage stage;
  SessionOptions options;
  options.context_length = 8;
  Session session(stage.model(), options);
  CHECK(session.context_length() == 8);
  const std::vector<TokenId> prompt(9, 7);
  CHECK(error_of([&] { session.append(prompt); }).status() == Status::context_full);
  CHECK(session.tokens().empty());
  session.append(std::span(prompt).first(8));
  StepOptions take_in;
  take_in.max_new_tokens = 0;
  CHECK(session.step(take_in).prompt_tokens == 8);
  CHECK(error_of([&] { session.append(std::span(prompt).first(1)); }).status() == Status::context_full);
  session.reset();
  session.append(std::span(prompt).first(6));
  StepOptions many;
  many.max_new_tokens = 100;
  const StepResult result = session.step(many);
  CHECK(result.stop == StopReason::context_full);
  CHECK(std::int64_t(session.tokens().size()) <= 9);
}

TEST_CASE("session options that cannot be are refused") {
  Stage stage;
  for (const std::int64_t length : {std::int64_t(-1), std::int64_t(1) << 62}) {
    SessionOptions options;
    options.context_length = length;
    CHECK(error_of([&] { Session session(stage.model(), options); }).status() != Status::internal);
  }
  SessionOptions options;
  options.chunk_rows = -5;
  CHECK(error_of([&] { Session session(stage.model(), options); }).status() == Status::invalid_argument);
  CHECK(error_of([&] { make_runtime(2, "avx9000"); }).status() == Status::invalid_argument);
}

TEST_CASE("loading stops when progress says so") {
  Stage stage;
  double last = -1;
  ModelOptions options;
  options.progress = [&](double done, std::string_view what) {
    CHECK(done >= last);
    CHECK(done <= 1.0);
    CHECK_FALSE(what.empty());
    last = done;
    return true;
  };
  stage.open(EditableCheckpoint("llama-linear"), options);
  CHECK(last == 1.0);
  options.progress = [](double, std::string_view) { return false; };
  CHECK(stage.refused(EditableCheckpoint("llama-linear"), options).status() == Status::cancelled);
}

TEST_CASE("a model without tokenizer files runs on tokens and says what it lacks when asked for text") {
  Stage stage;
  CHECK_FALSE(stage.model().info().has_tokenizer);
  CHECK(error_of([&] { stage.model().tokenizer(); }).status() == Status::not_found);
}
