// The prompt of a command: a text or token ids, on the command line or in a file.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/model.hpp"

namespace cli {

// As it was given; exactly one of the two.
struct Prompt {
  std::optional<std::string> text;
  std::vector<fathom::TokenId> tokens;
  bool special = false;  // special tokens written in the text count as such

  // Text gets what the checkpoint puts around texts; ids stay as they are. Throws when there are none.
  std::vector<fathom::TokenId> token_ids(const fathom::Model& model) const;
};

struct PromptArguments {
  std::optional<std::string> text;
  std::optional<std::string> text_file;
  std::optional<std::string> tokens;
  std::optional<std::string> tokens_file;
  bool special = false;

  void add_to(CLI::App& app);
  bool is_text() const { return text || text_file; }
  // Throws UsageError unless one was given, and when a file cannot be read or holds no ids. Reads files.
  Prompt read() const;
};

// With `around`, what the checkpoint puts around a text. A begin or end token that is written in the text is not doubled.
std::vector<fathom::TokenId> encode_text(const fathom::Tokenizer& tokenizer, std::string_view text, bool special, bool around);

// Ids separated by commas or white space. Throws, naming the first thing that is no id.
std::vector<fathom::TokenId> parse_token_ids(std::string_view text);

}  // namespace cli
