// What a session costs beside its cache and the pass it borrows, with the vocabulary of a large model.
#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/mman.h>

#include <memory>
#include <vector>

#include "fathom/batch.hpp"
#include "unit/run/timelines.hpp"

using namespace fathom;
using namespace fathom::test;

namespace {

constexpr std::int64_t kVocab = 129280;  // DeepSeek-V3's

// Counts by purpose, and leaves the C++ heap to what is not the host's memory.
class MappedMemory final : public Allocator {
 public:
  void* allocate(std::size_t bytes, std::size_t, MemoryPurpose purpose) noexcept override {
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    taken[std::size_t(purpose)] += std::int64_t(bytes);
    return memory;
  }
  void release(void* memory, std::size_t bytes, std::size_t, MemoryPurpose purpose) noexcept override {
    munmap(memory, bytes);
    taken[std::size_t(purpose)] -= std::int64_t(bytes);
  }
  std::int64_t of(MemoryPurpose purpose) const { return taken[std::size_t(purpose)]; }

 private:
  std::int64_t taken[4] = {};
};

MemoryFileSystem large_vocabulary() {
  MemoryCheckpoint checkpoint("llama3");
  checkpoint.replace_in_config("\"vocab_size\": 384", "\"vocab_size\": " + std::to_string(kVocab));
  checkpoint.replace_in_config("\"max_position_embeddings\": 1024", "\"max_position_embeddings\": 8192");
  for (const char* name : {"model.embed_tokens.weight", "lm_head.weight"}) {
    auto& tensor = checkpoint.tensor(name);
    tensor.bytes.resize(tensor.bytes.size() / 384 * std::size_t(kVocab));
    tensor.shape[0] = kVocab;
  }
  return checkpoint.files();
}

std::int64_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return std::int64_t(info.uordblks + info.hblkhd);
}

}  // namespace

TEST_CASE("members of a batch cost their caches and little besides, as they are told to") {
  constexpr int kMembers = 64;
  MemoryFileSystem files = large_vocabulary();
  MappedMemory memory;
  RuntimeOptions runtime;
  runtime.threads = 1;
  runtime.host.files = &files;
  runtime.host.allocator = &memory;
  const Model model = Model::open(Runtime(runtime), "m");
  SessionOptions options;
  options.top_logprobs = 20;
  options.stop.at_stop_tokens = false;
  options.sampling.temperature = 1.0f;
  const MemoryNeeds needs = model.session_memory(options);
  CHECK(needs.other_bytes <= 8'000'000);
  CHECK(needs.other_bytes >= kVocab * 4);

  const std::int64_t before = heap_bytes();
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < kMembers; ++i) {
    sessions.push_back(std::make_unique<Session>(model, options));
    sessions.back()->set_logits_hook([](std::int64_t, std::span<float>) {});
    sessions.back()->append(prompt_of(3, i));
  }
  CHECK(memory.of(MemoryPurpose::scratch) == needs.scratch_bytes);
  Batch batch(model, {.rows = 512, .sessions = kMembers});
  const std::int64_t joint = memory.of(MemoryPurpose::scratch);
  CHECK(joint <= needs.scratch_bytes + kMembers * kVocab * 4);  // one pass, with more logits
  for (auto& session : sessions) batch.add(*session);
  for (int i = 0; i < 3; ++i) batch.step({.max_new_tokens = 2});
  CHECK(sessions.back()->tokens().size() > 3);

  CHECK(memory.of(MemoryPurpose::cache) == kMembers * needs.cache_bytes);
  CHECK(memory.of(MemoryPurpose::scratch) == joint);
  CHECK(memory.of(MemoryPurpose::other) == 0);
  const std::int64_t each = (heap_bytes() - before) / kMembers;
  CAPTURE(needs.other_bytes);
  constexpr std::int64_t kSmall = 100'000;  // stop lists, text, the lists of pages
  CHECK(each <= needs.other_bytes + kSmall);
  CHECK(each <= 8'000'000);
}
