// Arguments that several subcommands share, and what they mean to the library.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/model.hpp"
#include "fathom/session.hpp"

namespace cli {

// The model and how to run it.
struct ModelArguments {
  std::string path;
  int threads = 0;
  std::string isa;
  std::string cache = "auto";

  enum class Threads { asked, left_out };
  void add_to(CLI::App& app, Threads threads = Threads::asked);
  fathom::RuntimeOptions runtime_options() const;
  fathom::CacheFormat cache_format() const;
};

// Bytes of so many values in a cache of a format that is not automatic.
std::int64_t cache_bytes(std::int64_t values, fathom::CacheFormat format);

struct SamplingArguments {
  fathom::SamplingOptions options;

  void add_to(CLI::App& app);
};

// A prompt as text or as token ids; exactly one of the two.
struct PromptArguments {
  std::optional<std::string> text;
  std::optional<std::string> tokens;
  bool special = false;

  void add_to(CLI::App& app);
  void check() const;  // throws UsageError
  // Text gets what the checkpoint puts around texts; ids stay as they are. Throws when the result is empty.
  std::vector<fathom::TokenId> token_ids(const fathom::Model& model) const;
};

// Ids separated by commas or white space. Throws, naming the first thing that is no id.
std::vector<fathom::TokenId> parse_token_ids(std::string_view text);

// The same as a check of an option's value: empty, or what is wrong.
std::string token_ids_wanted(const std::string& text);

// A whole file, or standard input for "-". Throws when it cannot be read.
std::string read_file(const std::string& path);

}  // namespace cli
