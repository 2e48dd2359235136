// fathom logits: what the model makes of a sequence, as a NumPy file.
#include <memory>

#include "arguments.hpp"
#include "command.hpp"
#include "loading.hpp"
#include "npy.hpp"

namespace cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::string tokens;
  std::string tokens_file;
  std::string output;
  std::int32_t chunk = 512;
  bool all = false;
};

std::vector<fathom::TokenId> token_ids(const Arguments& arguments) {
  if (arguments.tokens.empty() == arguments.tokens_file.empty()) throw UsageError("give either --tokens or --tokens-file");
  std::vector<fathom::TokenId> ids =
      parse_token_ids(arguments.tokens.empty() ? read_file(arguments.tokens_file) : arguments.tokens);
  if (ids.empty()) throw std::runtime_error("there are no tokens to compute logits for");
  return ids;
}

int logits(const Arguments& arguments) {
  const std::vector<fathom::TokenId> ids = token_ids(arguments);
  const LoadedModel loaded = load(arguments.model);

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
  auto* command = app.add_subcommand("logits", "Write the logits of a token sequence to a NumPy file");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  command->add_option("--tokens", arguments->tokens, "Token ids: 1,2,3")->check(token_ids_wanted);
  command->add_option("--tokens-file", arguments->tokens_file,
                      "File of token ids, separated by commas or white space; -: stdin");
  command->add_flag("--all", arguments->all, "After every token, [n, vocab]; otherwise after the last, [1, vocab]");
  command->add_option("--output", arguments->output, "The .npy file to write, float32")->required();
  command->add_option("--chunk", arguments->chunk, "Take in at most so many tokens together")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  fathom logits model.gguf --tokens 1,2,3 --all --output logits.npy\n"
      "  fathom logits model/ --tokens-file ids.txt --cache f32 --chunk 1 --threads 2 --output last.npy");
  command->callback([arguments, &chosen] { chosen = [arguments] { return logits(*arguments); }; });
}

}  // namespace cli
