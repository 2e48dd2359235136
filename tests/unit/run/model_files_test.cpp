// What a model needs of its files once it is open: nothing when they were read, their length when they are mapped.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/allocator.hpp"
#include "fathom/batch.hpp"
#include "support/check_error.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"
#include "support/temporary_folder.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

class WeightsCounter final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    if (purpose == MemoryPurpose::weights) peak = std::max<std::int64_t>(peak, taken += std::int64_t(bytes));
    return heap_allocator().allocate(bytes, alignment, purpose);
  }
  void release(void* memory, std::size_t bytes, std::size_t alignment, MemoryPurpose purpose) noexcept override {
    if (purpose == MemoryPurpose::weights) taken -= std::int64_t(bytes);
    heap_allocator().release(memory, bytes, alignment, purpose);
  }
  std::atomic<std::int64_t> taken{0};
  std::int64_t peak = 0;  // allocations of weights come from one thread
};

ModelOptions reading() {
  ModelOptions options;
  options.read = true;
  return options;
}
ModelOptions lazily() {
  ModelOptions options;
  options.lazy = true;
  return options;
}

Runtime runtime_with(Allocator* allocator = nullptr, FileSystem* files = nullptr) {
  RuntimeOptions options;
  options.threads = 2;
  options.invariant = true;
  options.host.allocator = allocator;
  options.host.files = files;
  return Runtime(options);
}

// A copy of a fixture on disk, to be damaged.
class Copy {
 public:
  explicit Copy(const std::string& fixture) {
    std::filesystem::copy(fixture_folder(fixture), path(), std::filesystem::copy_options::recursive);
  }
  std::string path() const { return folder_.path("model"); }
  void cut() const {
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().extension() == ".safetensors") std::filesystem::resize_file(entry.path(), 64);
    }
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a model that was read answers alike when its files are cut, changed or gone") {
  for (const std::string fixture : {"deepseek-v3", "deepseek-v3-fp8", "llama3", "mixtral", "gpt-oss-mxfp4"}) {
    CAPTURE(fixture);
    const Copy copy(fixture);
    std::vector<TokenId> prompt = prompt_of(20);
    for (TokenId& token : prompt) token %= 256;  // the smallest vocabulary
    const std::vector<TokenId> expected = continuation(Model::open(runtime_with(), fixture_folder(fixture)), prompt, 8);
    const Model model = Model::open(runtime_with(), copy.path(), reading());
    copy.cut();
    CHECK(continuation(model, prompt, 8) == expected);
    std::filesystem::remove_all(copy.path());
    CHECK(continuation(model, prompt, 8) == expected);
    CHECK(model.fingerprint() == open_fixture(fixture).fingerprint());
  }
}

TEST_CASE("memory that reading takes is told before, to the byte, and never taken twice") {
  for (const std::string fixture : {"deepseek-v3", "deepseek-v3-fp8", "llama3", "gpt-oss-mxfp4"}) {
    CAPTURE(fixture);
    WeightsCounter allocator;
    const Runtime runtime = runtime_with(&allocator);
    const MemoryNeeds needs = Model::memory_needed(runtime, fixture_folder(fixture), reading());
    CHECK(needs.mapped_bytes == 0);
    CHECK(allocator.taken == 0);
    const Model model = Model::open(runtime, fixture_folder(fixture), reading());
    CHECK(needs.weights_bytes >= model.info().weight_bytes);
    CHECK(allocator.taken == needs.weights_bytes);
    CHECK(allocator.peak == needs.weights_bytes);
    CHECK(needs.peak_bytes == needs.weights_bytes);
  }
}

TEST_CASE("reading tells its progress, can be cancelled at any time and then leaves nothing") {
  WeightsCounter allocator;
  const Runtime runtime = runtime_with(&allocator);
  ModelOptions options = reading();
  int calls = 0;
  double last = 0;
  bool read = false;
  options.progress = [&](double done, std::string_view what) {
    CHECK(done >= last);
    last = done;
    read = read || what == "reading files";
    ++calls;
    return true;
  };
  Model::open(runtime, fixture_folder("llama3"), options);
  CHECK(read);
  CHECK(last == 1.0);
  for (int stop = 0; stop < calls; ++stop) {
    int left = stop;
    options.progress = [&](double, std::string_view) { return left-- > 0; };
    check_error(Status::cancelled, {"cancelled"}, [&] { Model::open(runtime, fixture_folder("llama3"), options); });
    CHECK(allocator.taken == 0);
  }
}

TEST_CASE("files in memory that are read may go once the model is open") {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::directory_iterator(fixture_folder("llama3"))) {
    std::ifstream in(entry.path(), std::ios::binary);
    contents[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<fathom::MemoryFile> given;
  for (const auto& [name, content] : contents) given.push_back({name, std::as_bytes(std::span(content))});
  const Model model = Model::open_memory(runtime_with(), given, reading());
  for (auto& [name, content] : contents) std::fill(content.begin(), content.end(), '\xff');
  CHECK(continuation(model, prompt_of(20), 8) == continuation(open_fixture("llama3"), prompt_of(20), 8));
}

TEST_CASE("a mapped file that was cut is told by its name before a session or a step reads it") {
  for (const bool lazy : {false, true}) {
    CAPTURE(lazy);
    const Copy copy("llama3");
    const Model model = Model::open(runtime_with(), copy.path(), lazy ? lazily() : ModelOptions());
    Session session(model, endless());
    session.append(prompt_of(20));
    session.step({.max_new_tokens = 1});
    Session member(model, endless());
    member.append(prompt_of(20));
    Batch batch(model);
    batch.add(member);
    copy.cut();
    const auto check_cut = [&](auto&& call) { check_error(Status::io_error, {copy.path(), "has 64 bytes", "renaming"}, call); };
    check_cut([&] { Session(model, endless()); });
    check_cut([&] { session.step({.max_new_tokens = 1}); });
    check_cut([&] { batch.step({.max_new_tokens = 1}); });
    check_cut([&] { (void)model.fingerprint(); });
  }
}

TEST_CASE("a mapped file that is replaced by renaming, or deleted, changes nothing") {
  const Copy copy("llama3");
  const Model model = Model::open(runtime_with(), copy.path(), lazily());
  const std::vector<TokenId> expected = continuation(model, prompt_of(20), 8);
  const std::string weights = copy.path() + "/model.safetensors";
  std::ofstream(copy.path() + "/new", std::ios::binary) << "short";
  std::filesystem::rename(copy.path() + "/new", weights);
  CHECK(continuation(model, prompt_of(20), 8) == expected);
  std::filesystem::remove(weights);
  CHECK(continuation(model, prompt_of(20), 8) == expected);
}

TEST_CASE("a file is needed as long as a matrix is mapped, and no longer") {
  // qwen2's head is its embedding, which moves with the other matrices; llama3's embedding stays in the file.
  for (const std::string fixture : {"qwen2", "llama3"}) {
    CAPTURE(fixture);
    MemoryFileSystem files;
    files.put("/m.gguf", convert_to_gguf(fixture_folder(fixture)).finish());
    files.policy().releasable = true;
    const Runtime runtime = runtime_with(nullptr, &files);
    const Model moved = Model::open(runtime, "/m.gguf"), lazy = Model::open(runtime, "/m.gguf", lazily());
    const std::vector<TokenId> expected = continuation(lazy, prompt_of(20), 8);
    files.policy().size_now = 0;
    check_error(Status::io_error, {"/m.gguf", "has 0 bytes"}, [&] { Session(lazy, endless()); });
    if (fixture == "qwen2") {
      CHECK(continuation(moved, prompt_of(20), 8) == expected);
    } else {
      check_error(Status::io_error, {"/m.gguf", "has 0 bytes"}, [&] { Session(moved, endless()); });
    }
  }
}

TEST_CASE("a host's file system without maps can be inspected and measured before anything is read") {
  MemoryFileSystem files;
  files.put("/m.gguf", convert_to_gguf(fixture_folder("llama3")).finish());
  files.policy().mappable = false;
  const Runtime runtime = runtime_with(nullptr, &files);
  const Inspection seen = inspect(runtime, "/m.gguf");
  CHECK(seen.runs);
  CHECK(seen.reason == "");
  CHECK(Model::memory_needed(runtime, "/m.gguf").mapped_bytes == 0);
  CHECK(Model::memory_needed(runtime, "/m.gguf").weights_bytes >= std::int64_t(files.content("/m.gguf").size()));
}
