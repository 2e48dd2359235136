// Same input, same bits: over threads and task systems always; over chunks, budgets, batch mates, forks and restored states
// with the invariant option. DeepSeek-, Llama- and Mixtral-shaped, as stored and in GGUF's BF16, Q8_0 and Q4_K.
#include <doctest/doctest.h>

#include <memory>

#include "conformance/checks.hpp"
#include "conformance/wide_model.hpp"
#include "fathom/batch.hpp"
#include "support/gguf_convert.hpp"
#include "support/memory_files.hpp"
#include "support/task_systems.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

struct Subject {
  std::string name;
  std::string path;  // in `files`, or a folder
  CacheFormat cache = CacheFormat::automatic;
};

// Opens subjects, whatever they are stored in.
class Stage {
 public:
  Stage() {
    files_.policy().releasable = true;  // matrices are interleaved where the instruction set gains by it
    for (const std::string name : {"deepseek-v3", "llama3", "mixtral"}) {
      subjects_.push_back({name + " as stored", conformance_folder(name)});
      for (const auto& [format, label] : {std::pair{StorageFormat::bf16, "BF16"}, std::pair{StorageFormat::q8_0, "Q8_0"}}) {
        GgufConversion conversion;
        conversion.matrices = format;
        add(name + " " + label, convert_to_gguf(conformance_folder(name), conversion).finish());
      }
    }
    GgufConversion tied;  // head and embedding are one matrix
    tied.matrices = StorageFormat::q8_0;
    add("qwen2 Q8_0", convert_to_gguf(conformance_folder("qwen2"), tied).finish());
    // K blocks of 256 values need rows that are wider than the fixtures'.
    const auto q4_k = [](std::string_view) { return StorageFormat::q4_k; };
    for (const auto& [shape, label] : {std::pair{WideShape::deepseek, "deepseek"}, std::pair{WideShape::llama, "llama"},
                                       std::pair{WideShape::mixtral, "mixtral"}}) {
      add(std::string(label) + "-shaped wide model Q4_K", wide_model(q4_k, false, shape).finish());
      Subject again = subjects_.back();
      again.name += " with a Q8_0 cache";
      again.cache = CacheFormat::q8_0;
      subjects_.push_back(again);
    }
  }

  const std::vector<Subject>& subjects() const { return subjects_; }
  Model open(const Subject& subject, int threads, bool invariant, TaskSystem* tasks = nullptr, bool lazy = false) {
    RuntimeOptions options;
    options.threads = threads;
    options.invariant = invariant;
    options.host.tasks = tasks;
    if (!subject.path.starts_with(FATHOM_TEST_DATA)) options.host.files = &files_;
    ModelOptions model_options;
    model_options.lazy = lazy;
    return Model::open(Runtime(options), subject.path, model_options);
  }

 private:
  void add(const std::string& name, std::string content) {
    const std::string path = "/" + std::to_string(subjects_.size()) + ".gguf";
    files_.put(path, std::move(content));
    subjects_.push_back({name, path});
  }

  MemoryFileSystem files_;
  std::vector<Subject> subjects_;
};

Stage& stage() {
  static Stage made;
  return made;
}

std::vector<TokenId> prompt_of(int length, int seed = 11) {
  std::vector<TokenId> ids;
  for (int i = 0; i < length; ++i) ids.push_back(TokenId((i * 37 + seed) % 320));
  return ids;
}

SessionOptions endless(CacheFormat cache) {
  SessionOptions options;
  options.cache = cache;
  options.context_length = 200;
  options.stop.at_stop_tokens = false;
  return options;
}

struct Outcome {
  std::vector<TokenId> tokens;
  std::vector<float> logits;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome finish(Session& session, std::size_t length, std::int64_t budget_us = 0) {
  while (session.tokens().size() < length) {
    session.step({.budget_us = budget_us, .max_new_tokens = std::int64_t(length - session.tokens().size())});
  }
  session.step({.max_new_tokens = 0});
  const auto logits = session.logits();
  return {{session.tokens().begin(), session.tokens().end()}, {logits.begin(), logits.end()}};
}

constexpr int kPrompt = 70;
constexpr std::size_t kEnd = kPrompt + 10;

Outcome alone(const Model& model, const std::vector<TokenId>& prompt, CacheFormat cache) {
  Session session(model, endless(cache));
  session.append(prompt);
  return finish(session, kEnd);
}

}  // namespace

TEST_CASE("the wide models are what they stand for") {
  for (const Subject& subject : stage().subjects()) {
    const std::size_t end = subject.name.find("-shaped");
    if (end == subject.name.npos) continue;
    INFO("subject ", subject.name);
    const Model model = stage().open(subject, 1, false);
    const ModelInfo& info = model.info();
    CHECK(info.family.starts_with(subject.name.substr(0, end)));
    CHECK((info.kv_heads < info.heads) == !subject.name.starts_with("deepseek"));
    CHECK((info.experts == 0) == subject.name.starts_with("llama"));
  }
}

TEST_CASE("1, 2, 3 and 8 threads, and tasks in any order, give the same bits") {
  for (const Subject& subject : stage().subjects()) {
    INFO("subject ", subject.name);
    const ModelRun reference = run_prompt(stage().open(subject, 1, false), prompt_of(kPrompt), 8, kWholePrompt, subject.cache);
    for (const int threads : {2, 3, 8}) {
      INFO("threads ", threads);
      check_same_bits(reference,
                      run_prompt(stage().open(subject, threads, false), prompt_of(kPrompt), 8, kWholePrompt, subject.cache));
    }
    for (const int concurrency : {1, 3, 8}) {
      INFO("shuffled tasks, at once ", concurrency);
      ShuffledTasks tasks(concurrency, 7);
      check_same_bits(reference,
                      run_prompt(stage().open(subject, 0, false, &tasks), prompt_of(kPrompt), 8, kWholePrompt, subject.cache));
    }
  }
}

TEST_CASE("weights as stored and weights rearranged while loading give the same bits") {
  for (const Subject& subject : stage().subjects()) {
    INFO("subject ", subject.name);
    const ModelRun rearranged = run_prompt(stage().open(subject, 2, false), prompt_of(kPrompt), 8, kWholePrompt, subject.cache);
    check_same_bits(rearranged, run_prompt(stage().open(subject, 2, false, nullptr, true), prompt_of(kPrompt), 8, kWholePrompt,
                                           subject.cache));
  }
}

TEST_CASE("budgets that cut anywhere give the same bits, invariant or not") {
  for (const Subject& subject : stage().subjects()) {
    for (const bool invariant : {false, true}) {
      INFO("subject ", subject.name);
      INFO("invariant ", invariant);
      const Model model = stage().open(subject, 2, invariant);
      for (const std::int64_t budget_us : {1, 40, 300}) {
        Session session(model, endless(subject.cache));
        session.append(prompt_of(kPrompt));
        CHECK(finish(session, kEnd, budget_us) == alone(model, prompt_of(kPrompt), subject.cache));
      }
    }
  }
}

TEST_CASE("invariant: prompts in pieces of 1, 7, 64 and all") {
  for (const Subject& subject : stage().subjects()) {
    INFO("subject ", subject.name);
    const Model model = stage().open(subject, 2, true);
    const Outcome expected = alone(model, prompt_of(kPrompt), subject.cache);
    for (const int piece : {1, 7, 64}) {
      INFO("pieces of ", piece);
      Session session(model, endless(subject.cache));
      const std::vector<TokenId> prompt = prompt_of(kPrompt);
      for (int at = 0; at < kPrompt; at += piece) {
        session.append(std::span(prompt).subspan(std::size_t(at), std::size_t(std::min(piece, kPrompt - at))));
        session.step({.max_new_tokens = 0});
      }
      CHECK(finish(session, kEnd) == expected);
    }
  }
}

TEST_CASE("invariant: with 1 to 7 batch mates") {
  for (const Subject& subject : stage().subjects()) {
    INFO("subject ", subject.name);
    const Model model = stage().open(subject, 2, true);
    const Outcome expected = alone(model, prompt_of(kPrompt), subject.cache);
    for (const int mates : {1, 7}) {
      INFO("mates ", mates);
      Batch batch(model, {.rows = 48, .sessions = 8});
      Session session(model, endless(subject.cache));
      session.append(prompt_of(kPrompt));
      std::vector<std::unique_ptr<Session>> others;
      batch.add(session);
      for (int i = 0; i < mates; ++i) {
        others.push_back(std::make_unique<Session>(model, endless(subject.cache)));
        others.back()->append(prompt_of(3 + 17 * i, i));
        batch.add(*others.back());
      }
      while (session.tokens().size() < kEnd) batch.step({.budget_us = mates == 7 ? 500 : 0});
      CHECK(finish(session, kEnd) == expected);
    }
  }
}

TEST_CASE("invariant: after fork, rewind, sync and restore") {
  for (const Subject& subject : stage().subjects()) {
    INFO("subject ", subject.name);
    const Model model = stage().open(subject, 2, true);
    const Outcome expected = alone(model, prompt_of(kPrompt), subject.cache);
    Session session(model, endless(subject.cache));
    session.append(prompt_of(kPrompt));
    session.step({.max_new_tokens = 4});
    Session fork = session.fork();
    CHECK(finish(fork, kEnd) == expected);
    std::vector<std::byte> state;
    session.save([&](std::span<const std::byte> bytes) { state.insert(state.end(), bytes.begin(), bytes.end()); });
    session.rewind(33);
    session.append(prompt_of(5, 99));
    session.step({.max_new_tokens = 2});
    CHECK(session.sync(prompt_of(kPrompt)) == 33);
    CHECK(finish(session, kEnd) == expected);
    Session restored(model, endless(subject.cache));
    std::size_t at = 0;
    restored.restore([&](std::span<std::byte> out) {
      std::copy_n(state.begin() + std::ptrdiff_t(at), out.size(), out.begin());
      at += out.size();
    });
    CHECK(finish(restored, kEnd) == expected);
  }
}
