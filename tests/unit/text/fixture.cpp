#include "unit/text/fixture.hpp"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "io/json.hpp"

namespace fathom::test {

const io::Value& tokenizer_document(const std::string& name, const std::string& file) {
  static std::map<std::string, io::Value> documents;
  const auto [place, is_new] = documents.try_emplace(name + "/" + file);
  if (is_new) {
    for (const std::string folder : {FATHOM_TEST_DATA "/tokenizers/", FATHOM_TEST_UNPACKED "/"}) {
      const std::string path = folder + name + "/" + file;
      if (!std::filesystem::exists(path)) continue;
      std::ifstream stream(path, std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(stream)), {});
      place->second = io::parse_json(text, path);
    }
  }
  return place->second;
}

const text::Tokenizer& tokenizer_fixture(const std::string& name) {
  static std::map<std::string, std::unique_ptr<text::Tokenizer>> tokenizers;
  auto& tokenizer = tokenizers[name];
  if (!tokenizer) {
    tokenizer = text::Tokenizer::from_huggingface(tokenizer_document(name, "tokenizer.json"),
                                                  tokenizer_document(name, "tokenizer_config.json"), name);
  }
  return *tokenizer;
}

double cpu_seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

std::vector<text::TokenId> token_ids(const io::Value& list) {
  std::vector<text::TokenId> ids;
  for (const io::Value& id : list.array()) ids.push_back(text::TokenId(id.as_int().value()));
  return ids;
}

std::string text_of(const io::Value& value) { return std::string(value.as_string().value()); }

std::unique_ptr<text::Tokenizer> tokenizer_of(std::string_view tokenizer_json, std::string_view config_json) {
  return text::Tokenizer::from_huggingface(io::parse_json(tokenizer_json, "tokenizer.json"),
                                           io::parse_json(config_json, "tokenizer_config.json"), "model");
}

}  // namespace fathom::test
