// Models from memory, what they say of themselves, what they will take.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/allocator.hpp"
#include "support/check_error.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

// Counts what is taken, by purpose.
class CountingAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    taken[std::size_t(purpose)] += std::int64_t(bytes);
    return heap_allocator().allocate(bytes, alignment, purpose);
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    taken[std::size_t(purpose)] -= std::int64_t(bytes);
    heap_allocator().release(memory, bytes, alignment, purpose);
  }
  std::int64_t of(MemoryPurpose purpose) const { return taken[std::size_t(purpose)]; }
  std::array<std::atomic<std::int64_t>, 4> taken{};
};

std::map<std::string, std::string> read_folder(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

std::vector<fathom::MemoryFile> as_memory(const std::map<std::string, std::string>& files) {
  std::vector<fathom::MemoryFile> out;
  for (const auto& [name, content] : files) out.push_back({name, std::as_bytes(std::span(content))});
  return out;
}

}  // namespace

TEST_CASE("a model from memory is the model of the folder") {
  for (const std::string& shape : kShapes) {
    CAPTURE(shape);
    const auto files = read_folder(fixture_folder(shape));
    RuntimeOptions options;
    options.invariant = true;
    const Model model = Model::open_memory(Runtime(options), as_memory(files));
    const Model folder = open_fixture(shape);
    CHECK(model.fingerprint() == folder.fingerprint());
    CHECK(continuation(model, prompt_of(20), 8) == continuation(folder, prompt_of(20), 8));
  }
}

TEST_CASE("files in memory that are no model are refused by name") {
  const Runtime runtime;
  auto files = read_folder(fixture_folder("llama3"));
  check_error(Status::invalid_argument, {"no files"}, [&] { Model::open_memory(runtime, {}); });
  auto twice = as_memory(files);
  twice.push_back(twice.front());
  check_error(Status::invalid_argument, {"two files", twice.front().name}, [&] { Model::open_memory(runtime, twice); });
  auto nested = as_memory(files);
  nested.front().name = "a/b";
  check_error(Status::invalid_argument, {"a/b"}, [&] { Model::open_memory(runtime, nested); });
  files.erase("config.json");
  check_error(Status::not_found, {"config.json"}, [&] { Model::open_memory(runtime, as_memory(files)); });
}

TEST_CASE("fingerprints tell models apart") {
  std::map<std::string, std::string> seen;
  for (const std::string name :
       {"deepseek-v3", "deepseek-v3-fp8", "deepseek-v2-lite", "llama3", "mistral", "mixtral", "qwen2"}) {
    const auto print = open_fixture(name).fingerprint();
    const auto [other, unique] = seen.emplace(std::string(print.begin(), print.end()), name);
    CAPTURE(name);
    CAPTURE(other->second);
    CHECK(unique);
  }
  auto files = read_folder(fixture_folder("llama3"));
  const auto before = Model::open_memory(Runtime(), as_memory(files)).fingerprint();
  std::string& config = files["config.json"];
  const auto theta = config.find("\"rope_theta\"");
  REQUIRE(theta != config.npos);
  const std::string written = config;
  config.insert(config.find_first_of("0123456789", theta), "1");
  CHECK(Model::open_memory(Runtime(), as_memory(files)).fingerprint() != before);
  config = written;
  const auto weights = std::ranges::find_if(
      files, [](const auto& file) { return file.first.starts_with("model") && file.first.ends_with(".safetensors"); });
  REQUIRE(weights != files.end());
  weights->second.back() ^= 1;
  CHECK(Model::open_memory(Runtime(), as_memory(files)).fingerprint() != before);
}

TEST_CASE("what a checkpoint says of itself can be asked for by key") {
  const Model model = open_fixture("deepseek-v3");
  CHECK(model.text("model_type") == "deepseek_v3");
  CHECK(model.text("hidden_size") == std::to_string(model.info().hidden_size));
  CHECK(!model.text("no such key"));
  for (const std::string& key : model.text_keys()) CHECK(model.text(key));
  CHECK(model.text_keys().size() > 10);
}

// A Q8_0 model in files that give pages back, as the system's mapped files do.
struct ReleasableModel {
  ReleasableModel() {
    GgufConversion conversion;
    conversion.matrices = StorageFormat::q8_0;
    files.put("/m.gguf", convert_to_gguf(fixture_folder("deepseek-v3"), conversion).finish());
    files.policy().releasable = true;
    options.host.files = &files;
    options.host.allocator = &allocator;
    options.threads = 3;
  }

  static ModelOptions lazy() {
    ModelOptions as_stored;
    as_stored.lazy = true;
    return as_stored;
  }

  MemoryFileSystem files;
  CountingAllocator allocator;
  RuntimeOptions options;
};

TEST_CASE("placed matrices are counted as memory of the model's own, and their pages given back") {
  ReleasableModel made;
  const Runtime runtime(made.options);
  const MemoryNeeds needs = Model::memory_needed(runtime, "/m.gguf");
  const MemoryNeeds as_stored = Model::memory_needed(runtime, "/m.gguf", ReleasableModel::lazy());
  const std::int64_t placed = needs.weights_bytes - as_stored.weights_bytes;
  CHECK(as_stored.mapped_bytes == std::int64_t(made.files.content("/m.gguf").size()));
  CHECK(needs.mapped_bytes == as_stored.mapped_bytes - placed);
  {
    const Model lazy = Model::open(runtime, "/m.gguf", ReleasableModel::lazy());
    CHECK(made.allocator.of(MemoryPurpose::weights) == as_stored.weights_bytes);
    CHECK(made.files.policy().released == 0);
    const Model model = Model::open(runtime, "/m.gguf");
    CHECK(made.allocator.of(MemoryPurpose::weights) == as_stored.weights_bytes + needs.weights_bytes);
    CHECK(std::int64_t(made.files.policy().released) == placed);
    CHECK(model.fingerprint() == lazy.fingerprint());
    CHECK(continuation(model, prompt_of(20), 8) == continuation(lazy, prompt_of(20), 8));
  }
  for (const auto& taken : made.allocator.taken) CHECK(taken == 0);
  made.files.policy().releasable = false;
  CHECK(Model::memory_needed(runtime, "/m.gguf").weights_bytes == as_stored.weights_bytes);
  made.options.isa_limit = "scalar";
  made.files.policy().releasable = true;
  // Without interleaving they move all the same.
  CHECK(Model::memory_needed(Runtime(made.options), "/m.gguf").weights_bytes == needs.weights_bytes);
}

TEST_CASE("loading that is cancelled while matrices are placed leaves nothing") {
  ReleasableModel made;
  const Runtime runtime(made.options);
  int calls = 0;
  double last = -1.0;
  ModelOptions options;
  options.progress = [&](double done, std::string_view) {
    CHECK(done >= last);
    last = done;
    ++calls;
    return true;
  };
  Model::open(runtime, "/m.gguf", options);
  CHECK(last == 1.0);
  for (int stop = 0; stop < calls; ++stop) {
    int left = stop;
    options.progress = [&](double, std::string_view) { return left-- > 0; };
    check_error(Status::cancelled, {"cancelled"}, [&] { Model::open(runtime, "/m.gguf", options); });
    for (const auto& taken : made.allocator.taken) CHECK(taken == 0);
  }
}

TEST_CASE("memory is told before it is taken, to the byte") {
  for (const std::string name :
       {"deepseek-v3", "deepseek-v3-fp8", "deepseek-v2-lite", "llama3", "mixtral", "gpt-oss", "qwen2"}) {
    CAPTURE(name);
    CountingAllocator allocator;
    RuntimeOptions options;
    options.host.allocator = &allocator;
    options.threads = 2;
    const Runtime runtime(options);
    const MemoryNeeds needs = Model::memory_needed(runtime, fixture_folder(name));
    for (const auto& taken : allocator.taken) CHECK(taken == 0);
    {
      const Model model = Model::open(runtime, fixture_folder(name));
      CHECK(allocator.of(MemoryPurpose::weights) == needs.weights_bytes);
      CHECK(needs.mapped_bytes + needs.weights_bytes >= model.info().weight_bytes);
      for (const std::int64_t context : {1, 100, 300}) {
        SessionOptions session = endless(context);
        session.count_routes = true;
        const MemoryNeeds wanted = model.session_memory(session);
        const Session made(model, session);
        CHECK(allocator.of(MemoryPurpose::cache) == wanted.cache_bytes);
        CHECK(allocator.of(MemoryPurpose::scratch) == wanted.scratch_bytes);
        CHECK(allocator.of(MemoryPurpose::other) <= wanted.other_bytes);
        CHECK(wanted.peak_bytes == wanted.cache_bytes + wanted.scratch_bytes + wanted.other_bytes);
      }
    }
    for (const auto& taken : allocator.taken) CHECK(taken == 0);
  }
}

TEST_CASE("what a token costs is told of a loaded model: the matrices it goes through") {
  const ModelInfo info = open_fixture("llama3").info();
  std::int64_t bytes = 0, multiply_adds = 0, head = 0;
  for (const TensorSummary& tensor : inspect(Runtime(), fixture_folder("llama3")).tensors) {
    if (tensor.shape.size() != 2) continue;
    const std::int64_t values = tensor.shape[0] * tensor.shape[1];
    if (tensor.name == "model.embed_tokens.weight") {
      bytes += tensor.bytes / tensor.shape[0];
      continue;
    }
    bytes += tensor.bytes;
    (tensor.name == "lm_head.weight" ? head : multiply_adds) += values;
  }
  CHECK(info.bytes_per_token == bytes);
  CHECK(info.expert_bytes_per_token == 0);
  CHECK(info.multiply_adds_per_token == multiply_adds);
  CHECK(info.head_multiply_adds == head);

  const ModelInfo mixture = open_fixture("mixtral").info();
  CHECK(mixture.expert_bytes_per_token > 0);
  CHECK(mixture.expert_bytes_per_token * mixture.experts / mixture.experts_per_token < mixture.weight_bytes);
}

TEST_CASE("inspecting tells what a session takes, as the opened model does") {
  const Runtime runtime;
  for (const char* name : {"deepseek-v3", "llama3", "gpt-oss-mxfp4"}) {
    CAPTURE(std::string(name));
    const Inspection seen = inspect(runtime, fixture_folder(name));
    const Model model = Model::open(runtime, fixture_folder(name));
    CHECK(seen.info.automatic_cache == model.info().automatic_cache);
    const MemoryNeeds needs = model.session_memory({});
    CHECK(seen.session.cache_bytes == needs.cache_bytes);
    CHECK(seen.session.scratch_bytes == needs.scratch_bytes);
    CHECK(seen.session.peak_bytes == needs.peak_bytes);
  }
}
