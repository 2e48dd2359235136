// fathom bench: how fast a model runs here, and how fast it could.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "arguments.hpp"
#include "bench_report.hpp"
#include "bench_runs.hpp"
#include "ceilings.hpp"
#include "command.hpp"
#include "limits.hpp"
#include "loading.hpp"

namespace cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::vector<std::int64_t> prompts = {128, 512, 2048};
  std::int64_t generated = 64;
  std::vector<std::int64_t> depths = {0, 4096};
  std::vector<int> threads;
  std::vector<int> batches = {1};
  BenchSettings settings;
  std::int64_t ceiling_mb = 1024;
  // Which sizes the command line names. The others are fitted to the model's context.
  bool prompts_named = false, generated_named = false, depths_named = false;
  bool json = false;
};

// Sorted, without repeats and zeros.
template <typename T>
std::vector<T> distinct(std::vector<T> values, T least) {
  std::erase_if(values, [&](T value) { return value < least; });
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

// Shapes, sizes and formats, before anything is loaded.
std::string main_format(const fathom::Inspection& inspection) {
  std::map<std::string, std::int64_t> bytes;
  for (const auto& tensor : inspection.tensors) bytes[tensor.format] += tensor.bytes;
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == bytes.end() ? "" : most->first;
}

// Leaves out or cuts what nobody asked for and the model's context does not hold.
void fit(Arguments& arguments, std::int64_t context) {
  if (!arguments.prompts_named) std::erase_if(arguments.prompts, [&](std::int64_t tokens) { return tokens > context; });
  if (arguments.generated == 0) return;
  if (!arguments.generated_named) {
    const std::int64_t room = context - (arguments.depths_named ? arguments.depths.back() : 0);
    arguments.generated = std::min(arguments.generated, std::max<std::int64_t>(room, 1));
  }
  if (!arguments.depths_named) {
    std::erase_if(arguments.depths, [&](std::int64_t depth) { return depth > 0 && depth + arguments.generated > context; });
  }
}

std::int64_t longest_context(const Arguments& arguments, std::int64_t model_context) {
  std::int64_t longest = arguments.prompts.empty() ? 1 : arguments.prompts.back();
  if (arguments.generated > 0) longest = std::max(longest, arguments.depths.back() + arguments.generated);
  if (longest > model_context) {
    throw std::runtime_error("these runs need a context of " + std::to_string(longest) + " tokens, the model has " +
                             std::to_string(model_context));
  }
  return longest;
}

// Every weight is touched once, so that no run pays for reading the file.
void warm_up(const Model& model, BenchSettings settings) {
  settings.repetitions = 1;
  settings.context = std::min<std::int64_t>(128, model.info().context_length);
  run_prompt(model, settings, settings.context);
}

int bench(Arguments arguments) {
  arguments.prompts = distinct<std::int64_t>(arguments.prompts, 1);
  arguments.depths = distinct<std::int64_t>(arguments.depths, 0);
  arguments.batches = distinct(arguments.batches, 1);
  arguments.threads = distinct(arguments.threads, 1);
  if (arguments.depths.empty() || arguments.batches.empty()) arguments.generated = 0;
  if (arguments.prompts.empty() && arguments.generated == 0) throw UsageError("there is nothing to measure: neither -p nor -n");
  if (arguments.threads.empty()) arguments.threads.push_back(Runtime().threads());

  BenchReport report;
  const fathom::Inspection inspection = fathom::inspect(Runtime(), arguments.model.path);
  if (!inspection.runs) throw std::runtime_error(inspection.reason);
  fit(arguments, inspection.info.context_length);
  report.format = main_format(inspection);
  BenchSettings& settings = arguments.settings;
  settings.context = longest_context(arguments, inspection.info.context_length);
  settings.cache = arguments.model.cache_format();
  if (arguments.ceiling_mb > 0) report.ceilings = measure_ceilings(arguments.threads, arguments.ceiling_mb << 20);

  // With most threads first, which has the contexts soonest.
  arguments.model.threads = arguments.threads.back();
  std::optional<FilledContexts> contexts;
  {
    const LoadedModel loaded = load(arguments.model);
    report.model = loaded.model.info();
    report.isa = loaded.runtime.isa();
    report.load_ms = loaded.load_ms;
    const auto cache = settings.cache == fathom::CacheFormat::automatic ? report.model.automatic_cache : settings.cache;
    report.cache_row_bytes = cache_bytes(report.model.cache_values_per_token, cache);
    warm_up(loaded.model, settings);
    contexts.emplace(loaded.model, settings, arguments.generated > 0 ? arguments.depths : std::vector<std::int64_t>());
  }

  if (!arguments.json) print_heading(report);
  for (const int threads : arguments.threads) {
    arguments.model.threads = threads;
    const LoadedModel loaded = load(arguments.model);
    report.streams[threads] = loaded.model.info().streams;
    const auto keep = [&](BenchRun run) {
      run.threads = threads;
      report.runs.push_back(std::move(run));
      if (!arguments.json) print_run(report, report.runs.back());
    };
    for (const std::int64_t tokens : arguments.prompts) keep(run_prompt(loaded.model, settings, tokens));
    for (const int sessions : arguments.batches) {
      for (const std::int64_t depth : arguments.depths) {
        if (arguments.generated > 0)
          keep(run_generation(loaded.model, settings, *contexts, depth, arguments.generated, sessions));
      }
    }
    report.resident_bytes = loaded.runtime.resident_bytes();
    report.peak_resident_bytes = loaded.runtime.peak_resident_bytes();
  }

  if (arguments.json) {
    std::cout << to_json(report).dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  } else {
    print_ending(report);
  }
  return kOk;
}

}  // namespace

void add_bench(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("bench", "Measure how fast a model runs, and hold it against the machine");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command, ModelArguments::Threads::left_out);
  const auto add_list = [&](const char* name, auto& values, const char* description) {
    return command->add_option(name, values, description)->delimiter(',')->allow_extra_args(false)->capture_default_str();
  };
  add_list("-p,--prompt", arguments->prompts, "Prompts of so many tokens; 0: none")->check(integer(0, kMostTokens));
  command->add_option("-n,--generate", arguments->generated, "Tokens to generate in each run; 0: none")
      ->check(integer(0, kMostTokens))
      ->capture_default_str();
  add_list("-d,--depth", arguments->depths, "Tokens there already when generation begins")->check(integer(0, kMostTokens));
  add_list("-t,--threads", arguments->threads, "Threads; by default one for each core this process may use")
      ->check(integer(1, kMostThreads));
  add_list("-b,--batch", arguments->batches, "Sessions that generate together, each its own text")
      ->check(integer(1, kMostRows));
  command->add_option("-r,--repetitions", arguments->settings.repetitions, "How often each run is repeated")
      ->check(integer(1, 1000))
      ->capture_default_str();
  command->add_option("--chunk", arguments->settings.chunk_rows, "Prompt tokens that go through the model together")
      ->check(integer(1, kMostRows))
      ->capture_default_str();
  command->add_option("--seed", arguments->settings.seed, "Of the random tokens")->check(seed())->capture_default_str();
  command->add_flag(
      "--same-text", arguments->settings.same_text,
      "Feed sessions that generate together the same tokens, as some engines' benchmarks do: they choose the same experts");
  command->add_option("--ceiling-mb", arguments->ceiling_mb, "Memory to measure the read bandwidth with; 0: no ceilings")
      ->check(integer(0, 1 << 20))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON object on standard output");
  command->footer(
      "Tokens are random, different for each session and position, and nothing stops at any of them. A context is filled once "
      "for\n"
      "each depth, which is not timed, and rewound between repetitions. First the ceilings are measured: reading memory, and "
      "dot\n"
      "products from registers (8-bit ones for quantised blocks). tokens/s is the median of the repetitions; of sessions "
      "together, the sum.\n"
      "Examples:\n"
      "  fathom bench model.gguf\n"
      "  fathom bench model.gguf -p 512 -n 64 -d 0,4096 -t 1,2 -b 1,8 -r 5 --json\n"
      "  fathom bench DeepSeek-V2-Lite/ -p 0 -n 128 -b 1,4,16");
  command->callback([arguments, command, &chosen] {
    arguments->prompts_named = command->count("-p") > 0;
    arguments->generated_named = command->count("-n") > 0;
    arguments->depths_named = command->count("-d") > 0;
    chosen = [arguments] { return bench(*arguments); };
  });
}

}  // namespace cli
