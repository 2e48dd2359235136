// fathom generate: goes on from a prompt.
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "command.hpp"
#include "fathom/chat.hpp"
#include "limits.hpp"
#include "loading.hpp"
#include "prompt.hpp"
#include "sampling.hpp"
#include "turn.hpp"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelArguments model;
  SamplingArguments sampling;
  PromptArguments prompt;
  std::int64_t max_tokens = 512;  // a short story or an answer ends by itself before
  std::int64_t context = 0;
  std::vector<std::string> stop;
  std::string system;
  bool chat = false;
  bool ignore_eos = false;
  bool json = false;
  bool stats = false;
};

void check(const Arguments& arguments) {
  if (arguments.chat && !arguments.prompt.is_text()) throw UsageError("--chat needs --prompt or --prompt-file");
  if (arguments.chat && arguments.prompt.special) throw UsageError("--chat goes without --special: messages are plain text");
  if (!arguments.system.empty() && !arguments.chat) throw UsageError("--system needs --chat");
}

std::vector<fathom::TokenId> prompt_ids(const Arguments& arguments, const Prompt& prompt, const Model& model) {
  if (!arguments.chat) return prompt.token_ids(model);
  std::vector<fathom::ChatMessage> messages;
  if (!arguments.system.empty()) messages.push_back({"system", arguments.system});
  messages.push_back({"user", *prompt.text});
  return fathom::encode_chat(model.tokenizer(), messages);
}

// No more than this prompt and its answer need.
std::int64_t context_length(const Arguments& arguments, const Model& model, std::size_t prompt_tokens) {
  if (arguments.context > 0) return arguments.context;
  return std::min(static_cast<std::int64_t>(prompt_tokens) + arguments.max_tokens, model.info().context_length);
}

Json report(const Turn& turn, const LoadedModel& loaded, const fathom::SamplingOptions& sampling) {
  const Runtime& runtime = loaded.runtime;
  Json object;
  object["tokens"] = turn.tokens;
  object["text"] = loaded.model.info().has_tokenizer ? Json(turn.text) : Json();
  object["stop"] = turn.stop;
  object["sampling"] = to_json(sampling);
  object["timings"] = {{"load_ms", loaded.load_ms},
                       {"prompt_tokens", turn.prompt_tokens},
                       {"prompt_ms", turn.prompt_ms},
                       {"prompt_tokens_per_s", turn.prompt_tokens_per_s()},
                       {"generated_tokens", turn.generated_tokens},
                       {"generation_ms", turn.generation_ms},
                       {"generated_tokens_per_s", turn.generated_tokens_per_s()},
                       {"threads", runtime.threads()},
                       {"isa", runtime.isa()},
                       {"resident_bytes", runtime.resident_bytes()},
                       {"peak_resident_bytes", runtime.peak_resident_bytes()}};
  return object;
}

int generate(const Arguments& arguments) {
  check(arguments);
  const Prompt given = arguments.prompt.read();
  const LoadedModel loaded = load(arguments.model, arguments.stats);
  const std::vector<fathom::TokenId> prompt = prompt_ids(arguments, given, loaded.model);

  fathom::SessionOptions options;
  options.context_length = context_length(arguments, loaded.model, prompt.size());
  options.cache = arguments.model.cache_format();
  options.sampling = arguments.sampling.over(loaded.model.recommended_sampling());
  fathom::Session session(loaded.model, options);
  session.append(prompt);
  arguments.sampling.print_seed(options.sampling);

  fathom::StopOptions stop;
  stop.at_stop_tokens = !arguments.ignore_eos;
  stop.strings = arguments.stop;
  const Turn turn = run_turn(session, arguments.max_tokens, stop, [&](std::string_view text) {
    if (!arguments.json) std::cout << text << std::flush;
  });

  if (arguments.json) {
    std::cout << report(turn, loaded, options.sampling).dump(-1, ' ', false, Json::error_handler_t::replace);
  } else if (!loaded.model.info().has_tokenizer) {
    for (std::size_t i = 0; i < turn.tokens.size(); ++i) std::cout << (i ? "," : "") << turn.tokens[i];
  }
  std::cout << std::endl;
  if (arguments.stats) {
    std::fprintf(stderr, "loading     %6.2f s\n", loaded.load_ms / 1e3);
    print_stats(turn, loaded.runtime);
  }
  if (turn.context_full) {
    std::cerr << "fathom: the context of " << session.context_length() << " tokens is full before the text is complete; "
              << (session.context_length() < loaded.model.info().context_length ? "--context makes room for more\n"
                                                                                : "the model has no larger one\n");
    return kContextFull;
  }
  return turn.cancelled ? kInterrupted : kOk;
}

}  // namespace

void add_generate(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("generate", "Go on from a prompt");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  arguments->prompt.add_to(*command);
  command->add_flag("--chat", arguments->chat, "Ask the prompt as a question, in the model's own chat format");
  command->add_option("--system", arguments->system, "With --chat: the system message");
  command->add_option("--max-tokens", arguments->max_tokens, "Generate at most so many tokens")
      ->check(integer(0, kMostTokens))
      ->capture_default_str();
  command->add_option("--stop", arguments->stop, "Stop where this text appears (may be given several times)")
      ->allow_extra_args(false);
  command->add_flag("--ignore-eos", arguments->ignore_eos, "Go on past the model's stop tokens");
  command->add_option("--context", arguments->context, "Tokens there is room for; by default what prompt and answer need")
      ->check(integer(1));
  command->add_flag("--json", arguments->json, "One JSON object on standard output: tokens, text, stop, sampling, timings");
  command->add_flag("--stats", arguments->stats, "Speed and memory on standard error");
  arguments->sampling.add_to(*command);
  command->footer(
      "The text streams to standard output; a checkpoint without tokenizer prints the ids at the end.\n"
      "Examples:\n"
      "  fathom generate model.gguf --prompt 'The capital of France is' --max-tokens 8\n"
      "  fathom generate DeepSeek-V2-Lite-Chat/ --chat --prompt 'Why is the sky blue?' --temperature 0.7 --top-p 0.9\n"
      "  fathom generate model.gguf --prompt-file begun.txt --seed 7\n"
      "  fathom generate model.gguf --tokens 1,2,3 --max-tokens 32 --ignore-eos --json");
  command->callback([arguments, &chosen] { chosen = [arguments] { return generate(*arguments); }; });
}

}  // namespace cli
