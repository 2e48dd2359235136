#include "io/open.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "platform/os_file_system.hpp"
#include "support/check_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/memory_files.hpp"
#include "support/safetensors_writer.hpp"
#include "support/temporary_folder.hpp"

using namespace fathom;
using fathom::test::check_error;
using fathom::test::MemoryFileSystem;
using io::Checkpoint;
using io::open_checkpoint;
using io::Want;

namespace {

MemoryFileSystem folder() {
  test::SafetensorsWriter weights;
  weights.add("w", "U8", {1}, std::string("x"));
  MemoryFileSystem files;
  files.put("m/config.json", R"({"model_type": "deepseek_v3"})");
  files.put("m/model.safetensors", weights.finish());
  return files;
}

std::string gguf() {
  test::GgufWriter writer;
  writer.add("general.architecture", "deepseek2");
  writer.add_tensor("w", StorageFormat::i8, {1}, std::string("x"));
  return writer.finish();
}

}  // namespace

TEST_CASE("a folder gives its tensors and each document it has, null for those it lacks") {
  MemoryFileSystem files = folder();
  const Checkpoint bare = open_checkpoint(files, "m");
  CHECK(bare.container == io::Container::huggingface);
  CHECK(bare.path == "m");
  CHECK(bare.config["model_type"].as_string() == "deepseek_v3");
  REQUIRE(bare.tensors);
  CHECK(bare.tensors->find("w"));
  CHECK(bare.generation_config.is_null());
  CHECK(bare.tokenizer.is_null());
  CHECK(bare.tokenizer_config.is_null());

  files.put("m/generation_config.json", R"({"eos_token_id": [1, 2]})");
  files.put("m/tokenizer.json", R"({"version": "1.0"})");
  files.put("m/tokenizer_config.json", R"({"chat_template": "inside"})");
  files.put("m/chat_template.jinja", "beside");
  const Checkpoint full = open_checkpoint(files, "m/");
  CHECK(full.generation_config["eos_token_id"].array().size() == 2);
  CHECK(full.tokenizer["version"].as_string() == "1.0");
  CHECK(full.tokenizer_config["chat_template"].as_string() == "inside");
}

TEST_CASE("a chat template in a file of its own stands in for one that tokenizer_config.json lacks") {
  MemoryFileSystem files = folder();
  files.put("m/chat_template.jinja", "{{ messages }}");
  CHECK(open_checkpoint(files, "m").tokenizer_config["chat_template"].as_string() == "{{ messages }}");
  files.put("m/tokenizer_config.json", R"({"bos_token": "<s>"})");
  const Checkpoint checkpoint = open_checkpoint(files, "m");
  CHECK(checkpoint.tokenizer_config["chat_template"].as_string() == "{{ messages }}");
  CHECK(checkpoint.tokenizer_config["bos_token"].as_string() == "<s>");
}

TEST_CASE("a GGUF file is told by its first bytes, and its metadata is its config") {
  MemoryFileSystem files;
  files.put("model.bin", gguf());
  const Checkpoint checkpoint = open_checkpoint(files, "model.bin");
  CHECK(checkpoint.container == io::Container::gguf);
  CHECK(checkpoint.config["general.architecture"].as_string() == "deepseek2");
  CHECK(checkpoint.tensors->find("w"));
  CHECK(checkpoint.tokenizer.is_null());
  CHECK(open_checkpoint(files, "model.bin", Want::text).config.is_object());
}

TEST_CASE("the path of a safetensors file opens the folder it lies in") {
  MemoryFileSystem files = folder();
  CHECK(open_checkpoint(files, "m/model.safetensors").config["model_type"].as_string() == "deepseek_v3");
}

TEST_CASE("a folder opened for text needs tokenizer.json and nothing more") {
  MemoryFileSystem files;
  files.put("t/tokenizer.json", "{}");
  const Checkpoint checkpoint = open_checkpoint(files, "t", Want::text);
  CHECK(checkpoint.tokenizer.is_object());
  CHECK(checkpoint.config.is_null());
  CHECK_FALSE(checkpoint.tensors);
  files.put("t/model.safetensors", "damaged, which is no affair of the tokenizer");
  CHECK(open_checkpoint(files, "t", Want::text).tokenizer.is_object());
  check_error(Status::not_found, {"t:", "config.json"}, [&] { open_checkpoint(files, "t"); });
  check_error(Status::not_found, {"m:", "tokenizer.json"}, [] {
    MemoryFileSystem weights_only = folder();
    open_checkpoint(weights_only, "m", Want::text);
  });
}

TEST_CASE("what cannot be opened is told with what was expected") {
  MemoryFileSystem files = folder();
  check_error(Status::not_found, {"nowhere"}, [&] { open_checkpoint(files, "nowhere"); });
  check_error(Status::not_found, {"no such file or folder"}, [&] { open_checkpoint(files, ""); });
  files.put("empty.gguf", "");
  check_error(Status::corrupt_file, {"empty.gguf", "empty"}, [&] { open_checkpoint(files, "empty.gguf"); });
  files.put("short", "GG");
  check_error(Status::corrupt_file, {"short", "'GGUF'"}, [&] { open_checkpoint(files, "short"); });
  files.put("notes.txt", "not a model");
  check_error(Status::corrupt_file, {"notes.txt", "safetensors"}, [&] { open_checkpoint(files, "notes.txt"); });
  files.put("empty/readme", "");
  check_error(Status::not_found, {"empty:", "config.json", "*.safetensors"}, [&] { open_checkpoint(files, "empty"); });
  files.put("g/model.gguf", gguf());
  check_error(Status::not_found, {"g:", "model.gguf", "path of its file"}, [&] { open_checkpoint(files, "g"); });
  files.put("m/config.json", "{");
  check_error(Status::corrupt_file, {"m/config.json", "byte 1"}, [&] { open_checkpoint(files, "m"); });
  files.put("m/config.json", "{}");
  files.remove("m/model.safetensors");
  check_error(Status::not_found, {"m:", "model.safetensors"}, [&] { open_checkpoint(files, "m"); });
}

TEST_CASE("what lies at a path but is no file is named as what it is") {
  test::TemporaryFolder folder;
  REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  check_error(Status::io_error, {folder.path("pipe"), "a pipe (FIFO)"},
              [&] { open_checkpoint(os_file_system(), folder.path("pipe")); });
  check_error(Status::io_error, {"/dev/null", "a character device"}, [] { open_checkpoint(os_file_system(), "/dev/null"); });
  folder.put("a/config.json/inside", "");
  check_error(Status::not_found, {folder.path("a/config.json"), "a directory"},
              [&] { open_checkpoint(os_file_system(), folder.path("a")); });
  folder.put("b/config.json", "{}");
  REQUIRE(mkfifo(folder.path("b/model.safetensors").c_str(), 0600) == 0);
  check_error(Status::io_error, {folder.path("b/model.safetensors"), "a pipe (FIFO)"},
              [&] { open_checkpoint(os_file_system(), folder.path("b")); });
}

TEST_CASE("checkpoints written by the reference library open whole, single and sharded, quantised or not") {
  const std::string data = FATHOM_TEST_DATA;
  for (const std::string name : {"deepseek-v3", "deepseek-v3-fp8", "gpt-oss-mxfp4", "llama3", "qwen2"}) {
    CAPTURE(name);
    const Checkpoint checkpoint = open_checkpoint(os_file_system(), data + "/" + name);
    CHECK(checkpoint.config["model_type"].is_string());
    REQUIRE(checkpoint.tensors);
    const io::TensorInfo* embedding = checkpoint.tensors->find("model.embed_tokens.weight");
    REQUIRE(embedding);
    REQUIRE(embedding->shape.size() == 2);
    CHECK(embedding->shape[0] == checkpoint.config["vocab_size"].as_int());
    CHECK(embedding->shape[1] == checkpoint.config["hidden_size"].as_int());
    for (const io::TensorInfo& tensor : checkpoint.tensors->tensors()) {
      CHECK(tensor.format != StorageFormat::other);
      CHECK(checkpoint.tensors->bytes(tensor).size() == tensor.bytes);
    }
  }
}
