// fathom tokenize: text on standard input to token ids on standard output, or the other way.
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "fathom/tokenizer.hpp"
#include "input.hpp"
#include "prompt.hpp"

namespace cli {
namespace {

using Json = nlohmann::json;

struct Arguments {
  std::string path;
  bool special = false;
  bool bos = false;
  bool decode = false;
  bool skip_special = false;
  bool jsonl = false;
};

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

class Converter {
 public:
  explicit Converter(const Arguments& arguments) : arguments_(arguments), tokenizer_(open(arguments)) {}

  std::vector<fathom::TokenId> encode(std::string_view text) const {
    return encode_text(tokenizer_, text, arguments_.special, arguments_.bos);
  }

  std::string decode(const Json& ids) const {
    if (!ids.is_array()) throw std::runtime_error("expected a JSON array of token ids, found " + std::string(ids.type_name()));
    std::vector<fathom::TokenId> tokens;
    for (const Json& id : ids) tokens.push_back(token_id(id));
    return tokenizer_.decode(tokens, arguments_.skip_special);
  }

 private:
  static fathom::Tokenizer open(const Arguments& arguments) {
    fathom::RuntimeOptions options;
    options.threads = 1;
    return fathom::Tokenizer::open(fathom::Runtime(options), arguments.path);
  }

  fathom::TokenId token_id(const Json& id) const {
    if (!id.is_number_integer()) throw std::runtime_error("expected a token id, found " + dump(id));
    const auto value = id.get<std::int64_t>();
    if (value < 0 || value >= tokenizer_.vocab_size()) {
      throw std::runtime_error("token id " + dump(id) + " is outside the vocabulary of " +
                               std::to_string(tokenizer_.vocab_size()));
    }
    return static_cast<fathom::TokenId>(value);
  }

  const Arguments& arguments_;
  fathom::Tokenizer tokenizer_;
};

Json parse(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) throw std::runtime_error("this is no JSON");
  return value;
}

std::string convert_line(const Converter& converter, bool decode, const std::string& line) {
  const Json value = parse(line);
  if (decode) return dump(converter.decode(value));
  if (!value.is_string()) throw std::runtime_error("expected a JSON string, found " + std::string(value.type_name()));
  return dump(converter.encode(value.get_ref<const std::string&>()));
}

void convert_lines(const Converter& converter, bool decode) {
  require_standard_input();
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    try {
      std::cout << convert_line(converter, decode, line) << '\n';
    } catch (const std::exception& error) {
      throw std::runtime_error("line " + std::to_string(number) + " of the input: " + error.what());
    }
  }
  check_standard_input();
}

int tokenize(const Arguments& arguments) {
  if (arguments.skip_special && !arguments.decode) throw UsageError("--skip-special needs --decode");
  if (arguments.decode && (arguments.special || arguments.bos)) throw UsageError("--decode goes without --special and --bos");
  const Converter converter(arguments);
  if (arguments.jsonl) {
    convert_lines(converter, arguments.decode);
  } else if (arguments.decode) {
    std::cout << converter.decode(parse(read_file("-")));
  } else {
    std::cout << dump(converter.encode(read_file("-"))) << '\n';
  }
  return kOk;
}

}  // namespace

void add_tokenize(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("tokenize", "Turn text into token ids, and back");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("MODEL", arguments->path, "Model, or a folder with just its tokenizer.json")->required();
  command->add_flag("--special", arguments->special, "Recognise special tokens written in the text");
  command->add_flag("--bos", arguments->bos, "Add what the checkpoint puts around a text: usually the begin token in front");
  command->add_flag("--decode", arguments->decode, "The other way: a JSON array of ids in, text out");
  command->add_flag("--skip-special", arguments->skip_special, "With --decode: leave special tokens out of the text");
  command->add_flag("--jsonl", arguments->jsonl, "Line by line: one JSON string in, one JSON array out (or the reverse)");
  command->footer(
      "Input is standard input, taken exactly as it is, line ends included.\n"
      "Examples:\n"
      "  printf 'Hello world' | fathom tokenize model.gguf\n"
      "  echo '[9906, 1917]' | fathom tokenize model.gguf --decode\n"
      "  fathom tokenize DeepSeek-V3/ --jsonl < texts.jsonl > ids.jsonl");
  command->callback([arguments, &chosen] { chosen = [arguments] { return tokenize(*arguments); }; });
}

}  // namespace cli
