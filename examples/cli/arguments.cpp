// Arguments that several subcommands share.
#include "arguments.hpp"

#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>

#include "command.hpp"

namespace cli {

void ModelArguments::add_to(CLI::App& app, Threads asked) {
  app.add_option("MODEL", path, "Hugging Face folder or .gguf file")->required();
  if (asked == Threads::asked) {
    app.add_option("--threads", threads, "Threads; 0: one for each core this process may use")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
  }
  app.add_option("--isa", isa, "Instruction set to use at most")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx_int8"}));
  app.add_option("--cache", cache, "Number format of the key-value cache")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "q8_0"}))
      ->capture_default_str();
}

fathom::RuntimeOptions ModelArguments::runtime_options() const {
  fathom::RuntimeOptions options;
  options.threads = threads;
  options.isa_limit = isa;
  return options;
}

std::int64_t cache_bytes(std::int64_t values, fathom::CacheFormat format) {
  if (format == fathom::CacheFormat::f32) return values * 4;
  return format == fathom::CacheFormat::q8_0 ? values / 32 * 34 : values * 2;
}

fathom::CacheFormat ModelArguments::cache_format() const {
  if (cache == "f32") return fathom::CacheFormat::f32;
  if (cache == "f16") return fathom::CacheFormat::f16;
  if (cache == "bf16") return fathom::CacheFormat::bf16;
  if (cache == "q8_0") return fathom::CacheFormat::q8_0;
  return fathom::CacheFormat::automatic;
}

void SamplingArguments::add_to(CLI::App& app) {
  const auto add = [&app](const char* name, auto& value, const char* description) {
    return app.add_option(name, value, description)->capture_default_str()->group("Sampling");
  };
  add("--temperature", options.temperature, "0: always the likeliest token")->check(CLI::NonNegativeNumber);
  add("--top-k", options.top_k, "Keep the K likeliest tokens; 0: all")->check(CLI::NonNegativeNumber);
  add("--top-p", options.top_p, "Keep the smallest set whose probabilities reach P")->check(CLI::Range(0.0, 1.0));
  add("--min-p", options.min_p, "Drop what is less likely than P times the likeliest")->check(CLI::Range(0.0, 1.0));
  add("--repeat-penalty", options.repetition_penalty, "Above 1: tokens seen become less likely")->check(CLI::PositiveNumber);
  add("--frequency-penalty", options.frequency_penalty, "Taken off a logit each time its token was seen");
  add("--presence-penalty", options.presence_penalty, "Taken off a logit once its token was seen");
  add("--seed", options.seed, "The same seed gives the same text");
}

void PromptArguments::add_to(CLI::App& app) {
  app.add_option("--prompt", text, "Text to go on from");
  app.add_option("--tokens", tokens, "Token ids instead of text: 1,2,3 (nothing is put in front)")->check(token_ids_wanted);
  app.add_flag("--special", special, "Recognise special tokens written in the prompt");
}

void PromptArguments::check() const {
  if (text.has_value() == tokens.has_value()) throw UsageError("give either --prompt or --tokens");
}

std::vector<fathom::TokenId> PromptArguments::token_ids(const fathom::Model& model) const {
  std::vector<fathom::TokenId> ids =
      tokens ? parse_token_ids(*tokens) : model.tokenizer().encode(*text, {.parse_special = special, .add_special = true});
  if (ids.empty()) throw std::runtime_error("the prompt is empty: there is nothing to go on from");
  return ids;
}

std::string token_ids_wanted(const std::string& text) {
  try {
    parse_token_ids(text);
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

std::vector<fathom::TokenId> parse_token_ids(std::string_view text) {
  std::vector<fathom::TokenId> ids;
  const std::string_view separators = ", \t\r\n";
  for (auto begin = text.find_first_not_of(separators); begin != text.npos; begin = text.find_first_not_of(separators, begin)) {
    const auto end = std::min(text.find_first_of(separators, begin), text.size());
    fathom::TokenId id = 0;
    const auto [stopped, error] = std::from_chars(text.data() + begin, text.data() + end, id);
    if (error != std::errc() || stopped != text.data() + end) {
      throw std::runtime_error("'" + std::string(text.substr(begin, end - begin)) + "' is not a token id");
    }
    ids.push_back(id);
    begin = end;
  }
  return ids;
}

std::string read_file(const std::string& path) {
  const auto everything = [](std::istream& in) {
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  };
  if (path == "-") return everything(std::cin);
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + " cannot be opened");
  std::string content = everything(in);
  if (in.bad()) throw std::runtime_error(path + " cannot be read");
  return content;
}

}  // namespace cli
