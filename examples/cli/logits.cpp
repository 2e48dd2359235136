// fathom logits: what the model makes of a sequence, as a NumPy file.
#include <memory>

#include "arguments.hpp"
#include "command.hpp"
#include "limits.hpp"
#include "loading.hpp"
#include "npy.hpp"
#include "prompt.hpp"

namespace cli {
namespace {

struct Arguments {
  ModelArguments model;
  PromptArguments prompt;
  std::string output;
  std::int32_t chunk = 512;
  bool all = false;
};

int logits(const Arguments& arguments) {
  const Prompt prompt = arguments.prompt.read();
  const LoadedModel loaded = load(arguments.model);
  const std::vector<fathom::TokenId> ids = prompt.token_ids(loaded.model);

  fathom::SessionOptions options;
  options.context_length = static_cast<std::int64_t>(ids.size());
  options.cache = arguments.model.cache_format();
  options.chunk_rows = arguments.chunk;
  fathom::Session session(loaded.model, options);
  session.append(ids);

  NpyWriter file(arguments.output, arguments.all ? options.context_length : 1, loaded.model.info().vocab_size);
  fathom::StepOptions step{.max_new_tokens = 0};
  if (arguments.all) step.on_logits = [&](std::int64_t, std::span<const float> row) { file.write_row(row); };
  session.step(step);
  if (!arguments.all) file.write_row(session.logits());
  file.finish();
  return kOk;
}

}  // namespace

void add_logits(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("logits", "Write the logits of a text or token sequence to a NumPy file");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  arguments->prompt.add_to(*command);
  command->add_flag("--all", arguments->all, "After every token, [n, vocab]; otherwise after the last, [1, vocab]");
  command->add_option("--output", arguments->output, "The .npy file to write, float32")->required();
  command->add_option("--chunk", arguments->chunk, "Take in at most so many tokens together")
      ->check(integer(1, kMostRows))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  fathom logits model.gguf --tokens 1,2,3 --all --output logits.npy\n"
      "  fathom logits model.gguf --prompt 'Once upon a time' --output last.npy\n"
      "  fathom logits model/ --tokens-file ids.txt --cache f32 --chunk 1 --threads 2 --output last.npy");
  command->callback([arguments, &chosen] { chosen = [arguments] { return logits(*arguments); }; });
}

}  // namespace cli
