// What main.cpp knows of a subcommand: how to add it to the command line, and what to run when it was the one chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stdexcept>

namespace cli {

// Exit codes of the tool.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;         // the work could not be done
inline constexpr int kUsage = 2;          // the command line makes no sense
inline constexpr int kContextFull = 3;    // the context ended a text, or had no room for any question
inline constexpr int kInterrupted = 130;  // Ctrl-C ended it early, as shells have it

// A command line that parses but contradicts itself: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Set by the subcommand that was named; returns the exit code.
using Command = std::function<int()>;

void add_generate(CLI::App& app, Command& chosen);
void add_chat(CLI::App& app, Command& chosen);
void add_inspect(CLI::App& app, Command& chosen);
void add_tokenize(CLI::App& app, Command& chosen);
void add_logits(CLI::App& app, Command& chosen);
void add_perplexity(CLI::App& app, Command& chosen);
void add_routes(CLI::App& app, Command& chosen);
void add_bench(CLI::App& app, Command& chosen);

}  // namespace cli
