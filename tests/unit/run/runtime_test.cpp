#include "fathom/runtime.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "fathom/model.hpp"
#include "support/check_error.hpp"
#include "support/task_systems.hpp"
#include "unit/model/memory_checkpoint.hpp"

using namespace fathom;
using test::check_error;

TEST_CASE("a runtime has the threads it was asked for, or those of the host's task system") {
  RuntimeOptions options;
  options.threads = 3;
  CHECK(Runtime(options).threads() == 3);
  test::ShuffledTasks tasks(5);
  options.host.tasks = &tasks;
  CHECK(Runtime(options).threads() == 5);
  CHECK(Runtime().threads() >= 1);
}

TEST_CASE("options that cannot be are refused") {
  RuntimeOptions options;
  options.threads = -1;
  check_error(Status::invalid_argument, {"threads is -1"}, [&] { Runtime{options}; });
  options.threads = 1 << 20;
  check_error(Status::invalid_argument, {"1048576"}, [&] { Runtime{options}; });
  options.threads = 1;
  options.isa_limit = "mmx";
  check_error(Status::invalid_argument, {"'mmx'", "avx2"}, [&] { Runtime{options}; });
  options.isa_limit.clear();
  test::ShuffledTasks nobody(0);
  options.host.tasks = &nobody;
  check_error(Status::invalid_argument, {"runs 0 tasks"}, [&] { Runtime{options}; });
}

TEST_CASE("streams are fixed by a model's own text, and a wrong text is refused") {
  RuntimeOptions options;
  options.threads = 1;
  options.streams = "Q4_K=none,8k";
  check_error(Status::invalid_argument, {"streams", "Q4_K=none,8k"}, [&] { Runtime{options}; });
  for (const char* text : {"", "builtin", "Q4_K=none,8k,tile BF16=1k,1k,1k"}) {
    CAPTURE(text);
    options.streams = text;
    const Model model = Model::open(Runtime(options), test::fixture_folder("deepseek-v3"));
    const std::string chosen = model.info().streams;  // formats that this processor has no choice for are left out
    CHECK(!chosen.empty());
    options.streams = chosen;
    CHECK(Model::open(Runtime(options), test::fixture_folder("deepseek-v3")).info().streams == chosen);
  }
}

TEST_CASE("the instruction set is never above its limit") {
  RuntimeOptions options;
  options.threads = 1;
  options.isa_limit = "scalar";
  CHECK(std::string(Runtime(options).isa()) == "scalar");
  options.isa_limit = "amx_int8";
  CHECK(std::string(Runtime(options).isa()) == Runtime().isa());
  options.isa_limit = "avx512_bf16";
  CHECK(std::string(Runtime(options).isa()) != "amx_int8");
}

TEST_CASE("a model outlives the runtime's handle, and a copy of a handle is the same model") {
  const Model model = [] {
    const Runtime runtime;
    return Model::open(runtime, test::fixture_folder("deepseek-v3"));
  }();
  const Model copy = model;
  CHECK(&copy.info() == &model.info());
  const ModelInfo& info = model.info();
  CHECK(info.family == "deepseek_v3");
  CHECK(info.container == "huggingface");
  CHECK(info.layers == 3);
  CHECK(info.vocab_size == 384);
  CHECK(info.experts == 16);
  CHECK(info.experts_per_token == 4);
  CHECK(info.parameters == 352976);
  CHECK(info.cache_values_per_token == 3 * 48);
  CHECK(info.automatic_cache == CacheFormat::f32);
  CHECK_FALSE(info.has_tokenizer);
  check_error(Status::not_found, {"deepseek-v3", "no tokenizer"}, [&] { model.tokenizer(); });
}

TEST_CASE("a session's bytes grow with its context, and with the width of its cache") {
  const Model model = Model::open(Runtime(), test::fixture_folder("deepseek-v3"));
  CHECK(model.session_bytes(2048, CacheFormat::f32) - model.session_bytes(2048, CacheFormat::f16) == 2048 * 3 * 48 * 2);
  CHECK(model.session_bytes(2048) > model.session_bytes(1024));
  check_error(Status::invalid_argument, {"0 tokens", "1 to 2560"}, [&] { model.session_bytes(0); });
  check_error(Status::invalid_argument, {"2561 tokens"}, [&] { model.session_bytes(2561); });
}

TEST_CASE("inspecting tells what a model is, and why it would not run") {
  const Runtime runtime;
  const Inspection sound = inspect(runtime, test::fixture_folder("deepseek-v3"));
  CHECK(sound.runs);
  CHECK(sound.reason.empty());
  CHECK(sound.info.parameters == 352976);
  CHECK(sound.tensors.size() == 139);
  CHECK_FALSE(sound.configuration.empty());

  test::MemoryCheckpoint checkpoint("llama3");
  checkpoint.remove("model.norm.weight");
  test::MemoryFileSystem files = checkpoint.files();
  RuntimeOptions options;
  options.host.files = &files;
  const Inspection broken = inspect(Runtime(options), "m");
  CHECK_FALSE(broken.runs);
  CHECK(broken.reason.find("'model.norm.weight' is missing") != std::string::npos);
  CHECK(broken.info.layers == 3);
  check_error(Status::not_found, {"nowhere"}, [&] { inspect(Runtime(options), "nowhere"); });
}

TEST_CASE("a model whose tokenizer cannot be read works by token ids, and inspecting it says the same") {
  struct Log final : LogSink {
    void write(LogLevel level, std::string_view message) noexcept override { lines.emplace_back(level, message); }
    std::vector<std::pair<LogLevel, std::string>> lines;
  } log;
  RuntimeOptions options;
  options.host.log = &log;
  for (const auto& [tokenizer, status, word] :
       {std::tuple{R"({"model": {"type": "Unigram", "vocab": []}})", Status::unsupported, "Unigram"},
        std::tuple{R"({"model": {"vocab": {}}})", Status::corrupt_file, "at least one token"}}) {
    CAPTURE(tokenizer);
    log.lines.clear();
    test::MemoryFileSystem files = test::MemoryCheckpoint("llama3").files();
    files.put("m/tokenizer.json", tokenizer);
    options.host.files = &files;
    const Runtime runtime(options);
    const Model model = Model::open(runtime, "m");
    CHECK_FALSE(model.info().has_tokenizer);
    check_error(status, {word}, [&] { model.tokenizer(); });
    check_error(status, {word}, [&] { Tokenizer::open(runtime, "m"); });
    int warnings = 0;
    for (const auto& [level, line] : log.lines) warnings += level == LogLevel::warning && line.find(word) != std::string::npos;
    CHECK(warnings == 1);

    const Inspection inspection = inspect(runtime, "m");
    CHECK(inspection.runs);
    CHECK_FALSE(inspection.info.has_tokenizer);
    CHECK(inspection.reason.find(word) != std::string::npos);
  }
}
