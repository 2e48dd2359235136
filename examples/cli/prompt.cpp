#include "prompt.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "command.hpp"
#include "input.hpp"

namespace cli {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// The same as a check of an option's value: empty, or what is wrong.
std::string token_ids_wanted(const std::string& text) {
  try {
    parse_token_ids(text);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

fathom::TokenId parse_token_id(std::string_view word) {
  fathom::TokenId id = 0;
  const auto [stopped, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  if (error != std::errc() || stopped != word.data() + word.size()) {
    throw std::runtime_error("'" + std::string(word) + "' is not a token id");
  }
  return id;
}

// Editors and echo end a file with a line end that is no part of the prompt.
std::string without_last_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

void PromptArguments::add_to(CLI::App& app) {
  app.add_option("--prompt", text, "Text to go on from; -: standard input");
  app.add_option("--prompt-file", text_file, "File of the text, without the line end at its end; -: standard input");
  app.add_option("--tokens", tokens, "Token ids instead of text: 1,2,3 (nothing is put in front)")->check(token_ids_wanted);
  app.add_option("--tokens-file", tokens_file, "File of token ids, separated by commas or white space; -: standard input");
  app.add_flag("--special", special, "Recognise special tokens written in the text");
}

Prompt PromptArguments::read() const {
  if (text.has_value() + text_file.has_value() + tokens.has_value() + tokens_file.has_value() != 1) {
    throw UsageError("give either --prompt or --tokens, or one of them as a file: --prompt-file or --tokens-file");
  }
  Prompt prompt;
  prompt.special = special;
  if (text_file || text == "-") {
    prompt.text = without_last_line_end(read_file(text_file.value_or("-")));
  } else if (text) {
    prompt.text = *text;
  } else {
    prompt.tokens = parse_token_ids(tokens ? *tokens : read_file(*tokens_file));
  }
  return prompt;
}

std::vector<fathom::TokenId> Prompt::token_ids(const fathom::Model& model) const {
  std::vector<fathom::TokenId> ids = text ? encode_text(model.tokenizer(), *text, special, true) : tokens;
  if (ids.empty()) throw std::runtime_error("the prompt is empty: there is nothing to go on from");
  return ids;
}

std::vector<fathom::TokenId> encode_text(const fathom::Tokenizer& tokenizer, std::string_view text, bool special, bool around) {
  std::vector<fathom::TokenId> ids = tokenizer.encode(text, {.parse_special = special, .add_special = around});
  if (!special || !around) return ids;
  const std::vector<fathom::TokenId> written = tokenizer.encode(text, {.parse_special = true, .add_special = false});
  const auto begins_twice = [&] { return ids.size() > written.size() && ids.size() > 1 && ids[0] == ids[1]; };
  if (!written.empty() && written.front() == tokenizer.bos() && ids.front() == tokenizer.bos() && begins_twice()) {
    ids.erase(ids.begin());
  }
  const auto ends_twice = [&] { return ids.size() > written.size() && ids.size() > 1 && ids.end()[-1] == ids.end()[-2]; };
  if (!written.empty() && written.back() == tokenizer.eos() && ids.back() == tokenizer.eos() && ends_twice()) ids.pop_back();
  return ids;
}

std::vector<fathom::TokenId> parse_token_ids(std::string_view text) {
  std::vector<fathom::TokenId> ids;
  const auto skip_space = [&] { text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size())); };
  skip_space();
  if (text.empty()) return ids;
  for (;;) {
    const std::string_view word = text.substr(0, text.find_first_of(", \t\r\n"));
    if (word.empty()) {
      throw std::runtime_error(text.empty() ? "there is no token id after the last comma"
                                            : "there is no token id before one of the commas");
    }
    ids.push_back(parse_token_id(word));
    text.remove_prefix(word.size());
    skip_space();
    if (text.empty()) return ids;
    if (text.front() != ',') continue;
    text.remove_prefix(1);
    skip_space();
  }
}

}  // namespace cli
