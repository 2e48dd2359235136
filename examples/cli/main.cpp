// The fathom command-line tool: picks the subcommand and turns whatever goes wrong into one sentence and an exit code.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <vector>

#include "command.hpp"
#include "fathom/error.hpp"
#include "fathom/version.hpp"
#include "input.hpp"
#include "nearest.hpp"

namespace {

const std::string kSeeHelp = " (see fathom --help)";

int complain(const std::string& sentence, int code) {
  std::cout.flush();
  std::cerr << "fathom: " << sentence << '\n';
  return code;
}

int run(const cli::Command& chosen) {
  try {
    const int code = chosen();
    if (!std::cout.flush()) return complain("standard output could not be written", cli::kFailed);
    return code;
  } catch (const cli::UsageError& error) {
    return complain(error.what(), cli::kUsage);
  } catch (const std::bad_alloc&) {
    return complain("out of memory", cli::kFailed);
  } catch (const std::exception& error) {  // fathom::Error is one
    return complain(error.what(), cli::kFailed);
  }
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

// The first word that is no option, where it is no command. Options before a command take no values.
std::optional<std::string> unknown_command(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) continue;
    const std::vector<std::string> known = command_names(app);
    return std::find(known.begin(), known.end(), word) != known.end() ? std::nullopt : std::optional(word);
  }
  return std::nullopt;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What is wrong with a word that no command or option took.
std::string unexpected(const CLI::App& app) {
  const CLI::App* command = app.get_subcommands().empty() ? &app : app.get_subcommands().back();
  const std::vector<std::string> extra = app.remaining(true);
  const std::string word = extra.empty() ? "" : extra.front();
  if (!word.starts_with('-')) return command->get_name() + " has no use for '" + word + "'";
  std::vector<std::string> options;
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    for (const std::string& name : option->get_snames()) options.push_back("-" + name);
  }
  const std::string name = word.substr(0, word.find('='));
  return command->get_name() + " has no option " + name + "; the nearest is " + cli::nearest(name, options);
}

}  // namespace

int main(int argc, char** argv) {
  if (!cli::reserve_standard_descriptors()) return complain("/dev/null cannot be opened", cli::kFailed);
  CLI::App app("fathom runs large language models on CPUs. MODEL is a Hugging Face folder or a .gguf file everywhere.",
               "fathom");
  app.set_version_flag("--version", std::string("fathom ") + fathom::version());
  app.set_help_flag("-h,--help", "Print this help and leave");
  app.require_subcommand(0, 1);
  app.footer(
      "`fathom COMMAND --help` says more.\nExit codes: 0 done, 1 it failed, 2 wrong usage, 3 the context is full, 130 "
      "interrupted.");

  cli::Command chosen;
  cli::add_generate(app, chosen);
  cli::add_chat(app, chosen);
  cli::add_inspect(app, chosen);
  cli::add_tokenize(app, chosen);
  cli::add_logits(app, chosen);
  cli::add_perplexity(app, chosen);
  cli::add_routes(app, chosen);
  cli::add_bench(app, chosen);

  if (const auto word = unknown_command(app, argc, argv)) {
    return complain("there is no command '" + *word + "'; the nearest is " + cli::nearest(*word, command_names(app)) + kSeeHelp,
                    cli::kUsage);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    return app.exit(success, std::cout, std::cerr);
  } catch (const CLI::ExtrasError&) {
    return complain(unexpected(app) + kSeeHelp, cli::kUsage);
  } catch (const CLI::ParseError& error) {
    return complain(error.what() + kSeeHelp, cli::kUsage);
  }
  if (!chosen) return complain("give one of the commands " + listed(command_names(app)) + kSeeHelp, cli::kUsage);
  return run(chosen);
}
