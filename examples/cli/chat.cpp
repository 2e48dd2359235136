// fathom chat: a conversation in the terminal, streamed. Reads lines, so it also works at the end of a pipe.
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>

#include "arguments.hpp"
#include "command.hpp"
#include "fathom/chat.hpp"
#include "input.hpp"
#include "interrupt.hpp"
#include "limits.hpp"
#include "loading.hpp"
#include "sampling.hpp"
#include "turn.hpp"

namespace cli {
namespace {

struct Arguments {
  ModelArguments model;
  SamplingArguments sampling;
  std::string system;
  std::string format;
  std::int64_t max_tokens = 0;
  std::int64_t context = 0;
  bool thinking = false;
};

constexpr const char* kHelp =
    "/help   this list\n"
    "/reset  forget the conversation\n"
    "/stats  speed, memory and room left in the context\n"
    "/quit   leave (so do Ctrl-D and, at the prompt, Ctrl-C)\n"
    "Ctrl-C while the model writes ends its turn.\n";

// The next line from the user, without its end; nothing when the input ends or Ctrl-C is pressed.
std::optional<std::string> read_line(bool terminal) {
  const WakeOnInterrupt on_interrupt;
  if (terminal) std::cout << "> " << std::flush;
  char* line = nullptr;
  std::size_t capacity = 0;
  const ssize_t length = ::getline(&line, &capacity, stdin);
  const std::unique_ptr<char, decltype(&std::free)> owner(line, &std::free);
  if (length < 0) {
    check_standard_input();
    if (terminal) std::cout << '\n';
    return std::nullopt;
  }
  std::string text(line, static_cast<std::size_t>(length));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// The messages so far, and the session that holds their tokens.
class Conversation {
 public:
  Conversation(const Arguments& arguments, const LoadedModel& loaded)
      : arguments_(arguments),
        loaded_(loaded),
        sampling_(arguments.sampling.over(loaded.model.recommended_sampling())),
        session_(loaded.model, session_options(arguments, sampling_)) {
    chat_.format = arguments.format;
    chat_.thinking = arguments.thinking;
    reset();
    // An unknown chat format is better told now than after the first question.
    const fathom::ChatMessage probe{"user", "?"};
    fathom::encode_chat(loaded.model.tokenizer(), std::span(&probe, 1), chat_);
    arguments.sampling.print_seed(sampling_);
  }

  void reset() {
    messages_.clear();
    if (!arguments_.system.empty()) messages_.push_back({"system", arguments_.system});
    session_.reset();
  }

  // Asks, streams the answer and remembers both. When the question does not fit, nothing of it is kept.
  void ask(const std::string& question) {
    messages_.push_back({"user", question});
    ++asked_;
    try {
      append_what_is_new();
    } catch (const fathom::Error& error) {
      messages_.pop_back();
      if (error.status() != fathom::Status::context_full) throw;
      std::cerr << "fathom: " << error.message() << "; /reset begins a new conversation\n";
      return;
    }
    const std::int64_t limit = arguments_.max_tokens > 0 ? arguments_.max_tokens : session_.context_length();
    last_ = run_turn(session_, limit, {}, [](std::string_view text) { std::cout << text << std::flush; });
    std::cout << std::endl;
    if (!last_.context_full) ++answered_;
    if (last_.context_full) {
      std::cerr << "fathom: the context of " << session_.context_length()
                << " tokens is full; /reset begins a new conversation\n";
    }
    messages_.push_back({"assistant", last_.text});
  }

  // Whether questions were asked and the context had room for no whole answer.
  bool nothing_fitted() const { return asked_ > 0 && answered_ == 0; }

  void print_stats() const {
    cli::print_stats(last_, loaded_.runtime);
    std::fprintf(stderr, "context     %6zu of %lld tokens\n", session_.tokens().size(),
                 static_cast<long long>(session_.context_length()));
  }

 private:
  static fathom::SessionOptions session_options(const Arguments& arguments, const fathom::SamplingOptions& sampling) {
    fathom::SessionOptions options;
    options.context_length = arguments.context;
    options.cache = arguments.model.cache_format();
    options.sampling = sampling;
    return options;
  }

  // What the session already holds is usually the beginning of the conversation, so that only the rest is computed. Where
  // the format rewrites earlier turns (reasoning is dropped, an answer tokenizes otherwise), everything is taken in anew.
  void append_what_is_new() {
    const auto wanted = fathom::encode_chat(loaded_.model.tokenizer(), messages_, chat_);
    const auto held = session_.tokens();
    std::span<const fathom::TokenId> rest = wanted;
    if (held.size() < wanted.size() && std::equal(held.begin(), held.end(), wanted.begin())) {
      rest = rest.subspan(held.size());
    } else {
      session_.reset();
    }
    session_.append(rest);
  }

  const Arguments& arguments_;
  const LoadedModel& loaded_;
  const fathom::SamplingOptions sampling_;
  fathom::ChatOptions chat_;
  fathom::Session session_;
  std::vector<fathom::ChatMessage> messages_;
  Turn last_;
  int asked_ = 0;
  int answered_ = 0;  // without running out of context
};

int chat(const Arguments& arguments) {
  require_standard_input();
  const LoadedModel loaded = load(arguments.model);
  Conversation conversation(arguments, loaded);
  const bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  if (terminal) std::cout << "Talking to " << loaded.model.info().path << ". /help lists the commands.\n";

  while (const auto line = read_line(terminal)) {
    if (line->empty()) continue;
    if (*line == "/quit") break;
    if (*line == "/help") {
      std::cout << kHelp;
    } else if (*line == "/reset") {
      conversation.reset();
    } else if (*line == "/stats") {
      conversation.print_stats();
    } else if (line->front() == '/') {
      std::cerr << "fathom: there is no command " << *line << "; /help lists them\n";
    } else {
      conversation.ask(*line);
    }
  }
  if (!terminal && conversation.nothing_fitted()) return kContextFull;
  return kOk;
}

}  // namespace

void add_chat(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("chat", "Talk with a model");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  command->add_option("--system", arguments->system, "System message of every conversation");
  command->add_option("--format", arguments->format, "Chat format, where the checkpoint's own is not recognised")
      ->check(CLI::IsMember(fathom::chat_formats()));
  command->add_flag("--thinking", arguments->thinking, "Let answers begin with reasoning (models that have the choice)");
  command->add_option("--max-tokens", arguments->max_tokens, "Tokens of an answer at most; by default what the context holds")
      ->check(integer(1));
  command->add_option("--context", arguments->context, "Tokens a conversation may have; by default the model's, at most 8192")
      ->check(integer(1));
  arguments->sampling.add_to(*command);
  command->footer(std::string("At the prompt:\n") + kHelp +
                  "Examples:\n"
                  "  fathom chat model.gguf --temperature 0.7 --top-p 0.9\n"
                  "  echo 'Name three rivers.' | fathom chat model.gguf --system 'Answer in one line.'");
  command->callback([arguments, &chosen] { chosen = [arguments] { return chat(*arguments); }; });
}

}  // namespace cli
