// The tokenizers of tests/conformance/data/tokenizers, each loaded once a test run, and their goldens.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/value.hpp"
#include "text/tokenizer.hpp"

namespace fathom::test {

inline constexpr const char* kTokenizerNames[] = {"deepseek-v3", "qwen3", "tiny-coder", "tiny-spm"};

// tokenizer.json, tokenizer_config.json, strings.json, decode.json or chat.json of a fixture; null where it has no such file.
const io::Value& tokenizer_document(const std::string& name, const std::string& file);
const text::Tokenizer& tokenizer_fixture(const std::string& name);

// Processor time of this process: what busy neighbours do not stretch.
double cpu_seconds();

std::vector<text::TokenId> token_ids(const io::Value& list);
std::string text_of(const io::Value& value);

// A JSON text that stands in the test itself.
std::unique_ptr<text::Tokenizer> tokenizer_of(std::string_view tokenizer_json, std::string_view config_json = "null");

}  // namespace fathom::test
