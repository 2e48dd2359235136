// Work to count instructions of: tiny models on one thread with kernels of a fixed instruction set, so that counts hardly
// depend on the machine. instructions.py runs it under callgrind, which counts what happens inside counted_work().
//   instructions --list            the names of all workloads, one a line
//   instructions NAME              does that one
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "fathom/session.hpp"
#include "support/gguf_convert.hpp"

namespace {

// Everything else runs without instrumentation, which makes it many times faster. Outside valgrind the two do nothing.
void counted_work(const std::function<void()>& work) {
  CALLGRIND_START_INSTRUMENTATION;
  work();
  CALLGRIND_STOP_INSTRUMENTATION;
}

using namespace fathom;

enum class Part { opening, prompt, generation };

struct Workload {
  const char* name;
  const char* model;  // a fixture
  const char* isa;
  StorageFormat format;  // as GGUF in this format; other: as it is
  Part part;
};

constexpr StorageFormat kAsIs = StorageFormat::other;
constexpr Workload kWorkloads[] = {
    {"deepseek-v3 opening", "deepseek-v3", "avx2", kAsIs, Part::opening},
    {"deepseek-v3 BF16 prompt", "deepseek-v3", "avx2", kAsIs, Part::prompt},
    {"deepseek-v3 BF16 generation", "deepseek-v3", "avx2", kAsIs, Part::generation},
    {"deepseek-v3 FP8 prompt", "deepseek-v3-fp8", "avx2", kAsIs, Part::prompt},
    {"deepseek-v3 FP8 generation", "deepseek-v3-fp8", "avx2", kAsIs, Part::generation},
    {"deepseek-v3 Q4_K prompt", "deepseek-v3-fp8", "avx2", StorageFormat::q4_k, Part::prompt},
    {"deepseek-v3 Q4_K generation", "deepseek-v3-fp8", "avx2", StorageFormat::q4_k, Part::generation},
    {"deepseek-v3 Q4_K generation scalar", "deepseek-v3-fp8", "scalar", StorageFormat::q4_k, Part::generation},
    {"llama3 Q8_0 prompt", "llama3", "avx2", StorageFormat::q8_0, Part::prompt},
    {"llama3 Q8_0 generation", "llama3", "avx2", StorageFormat::q8_0, Part::generation},
};
constexpr std::int64_t kPrompt = 48, kGenerated = 8;

std::vector<TokenId> tokens(std::int64_t count, std::int64_t seed, std::int64_t vocab_size) {
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(TokenId((i * 97 + seed) % vocab_size));
  return ids;
}

void run(const Workload& workload) {
  RuntimeOptions options;
  options.threads = 1;
  options.isa_limit = workload.isa;
  const Runtime runtime(options);
  if (std::strcmp(runtime.isa(), workload.isa) != 0) throw std::runtime_error(std::string("this CPU has no ") + workload.isa);
  const std::string folder = std::string(FATHOM_TEST_DATA "/") + workload.model;
  if (workload.part == Part::opening) {
    counted_work([&] { Model::open(runtime, folder); });
    return;
  }

  std::string file;
  if (workload.format != kAsIs) file = test::convert_to_gguf(folder, {.matrices = workload.format}).finish();
  const MemoryFile in_memory{"model.gguf", std::as_bytes(std::span(file))};
  const Model model = file.empty() ? Model::open(runtime, folder) : Model::open_memory(runtime, {&in_memory, 1});
  SessionOptions session_options;
  session_options.context_length = 128;
  Session session(model, session_options);
  const auto take_in = [&](const std::vector<TokenId>& ids) {
    session.append(ids);
    session.step({.max_new_tokens = 0});
  };
  const std::int64_t vocab_size = model.info().vocab_size;
  const bool scalar = std::strcmp(workload.isa, "scalar") == 0;  // thirty times the instructions
  const std::vector<TokenId> prompt = tokens(scalar ? 8 : kPrompt, 5, vocab_size);
  const std::vector<TokenId> generated = tokens(scalar ? 1 : kGenerated, 11, vocab_size);
  if (workload.part == Part::prompt) {
    counted_work([&] { take_in(prompt); });
  } else {
    take_in(prompt);
    counted_work([&] {
      for (const TokenId id : generated) take_in({id});
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
      for (const Workload& workload : kWorkloads) std::puts(workload.name);
      return 0;
    }
    for (const Workload& workload : kWorkloads) {
      if (argc == 2 && std::strcmp(argv[1], workload.name) == 0) {
        run(workload);
        return 0;
      }
    }
    std::fputs("usage: instructions --list | NAME\n", stderr);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "instructions: %s\n", error.what());
    return 1;
  }
}
