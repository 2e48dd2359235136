// The fathom command-line tool: picks the subcommand and turns whatever goes wrong into one sentence and an exit code.
#include <cstdio>
#include <iostream>

#include "command.hpp"
#include "fathom/error.hpp"
#include "fathom/version.hpp"

namespace {

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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("fathom runs large language models on CPUs. MODEL is a Hugging Face folder or a .gguf file everywhere.",
               "fathom");
  app.set_version_flag("--version", std::string("fathom ") + fathom::version());
  app.set_help_flag("-h,--help", "Print this help and leave");
  app.require_subcommand(1);
  app.footer("`fathom COMMAND --help` says more.\nExit codes: 0 done, 1 it failed, 2 wrong usage, 130 interrupted.");

  cli::Command chosen;
  cli::add_generate(app, chosen);
  cli::add_chat(app, chosen);
  cli::add_inspect(app, chosen);
  cli::add_tokenize(app, chosen);
  cli::add_logits(app, chosen);
  cli::add_perplexity(app, chosen);
  cli::add_routes(app, chosen);
  cli::add_bench(app, chosen);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    return app.exit(success, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    return complain(std::string(error.what()) + " (see fathom --help)", cli::kUsage);
  }
  return run(chosen);
}
