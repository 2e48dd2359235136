// Tiny valid checkpoints of three families with a few things changed: a number of config.json, a byte of a header, the length
// of a file, a file that is missing. The model is refused with a sentence, or runs.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "fathom/session.hpp"
#include "fuzz/tensor_oracle.hpp"

namespace {

using fathom::fuzz::require;
using namespace fathom;

using Files = std::map<std::string, std::string>;

const Files& files_of(std::size_t family) {
  static const std::vector<Files> all = [] {
    std::vector<Files> read;
    for (const char* name : {"deepseek-v3", "llama3", "mixtral"}) {
      Files& files = read.emplace_back();
      for (const auto& entry : std::filesystem::directory_iterator(std::string(FATHOM_TEST_DATA "/") + name)) {
        const std::string file = entry.path().filename();
        if (file.starts_with("golden") || file == "manifest.json") continue;
        std::ifstream in(entry.path(), std::ios::binary);
        files[file] = {std::istreambuf_iterator<char>(in), {}};
      }
    }
    return read;
  }();
  return all[family % all.size()];
}

// Numbers that sizes and counts break on.
constexpr const char* kNumbers[] = {
    "0",   "1",    "-1",   "2",        "3",  "7",  "64",    "65",   "1e9", "2147483648", "9223372036854775807",
    "0.5", "null", "true", "\"text\"", "[]", "{}", "1e308", "-0.0", "128"};

// Replaces the n-th run of digits.
void change_number(std::string& text, std::size_t n, std::size_t choice) {
  std::vector<std::pair<std::size_t, std::size_t>> runs;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.')) ++end;
    if (end > i) runs.emplace_back(i, end - i);
    i = end + 1;
  }
  if (runs.empty()) return;
  const auto [at, length] = runs[n % runs.size()];
  text.replace(at, length, kNumbers[choice % std::size(kNumbers)]);
}

void edit(Files& files, const std::uint8_t* b) {
  auto chosen = std::next(files.begin(), b[1] % std::ptrdiff_t(files.size()));
  std::string& content = chosen->second;
  if (content.empty()) return;
  const std::size_t where = b[2] | std::size_t(b[3]) << 8;
  switch (b[0] % 6) {
    case 0:
      change_number(files["config.json"], where, b[4]);
      break;
    case 1:
      content[where % std::min<std::size_t>(content.size(), 4096)] = char(b[4]);
      break;  // headers lie in front
    case 2:
      content.resize(content.size() - std::min<std::size_t>(content.size(), where));
      break;
    case 3:
      content.append(where % 64, char(b[4]));
      break;
    case 4:
      content[where * 31 % content.size()] ^= char(1 << (b[4] % 8));
      break;
    default:
      files.erase(chosen);
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const Runtime runtime = [] {
    RuntimeOptions options;
    options.threads = 1;
    return Runtime(options);
  }();
  Files files = files_of(data[0]);
  for (std::size_t at = 1; at + 5 <= std::min<std::size_t>(size, 41); at += 5) {
    if (!files.empty()) edit(files, data + at);
  }
  std::vector<MemoryFile> given;
  for (const auto& [name, content] : files) given.push_back({name, std::as_bytes(std::span(content))});
  try {
    const Model model = Model::open_memory(runtime, given);
    SessionOptions options;
    options.context_length = std::min<std::int64_t>(8, model.info().context_length);
    options.chunk_rows = 4;
    // an honest but huge model is not what is looked for
    if (model.session_memory(options).peak_bytes > 256 << 20) return 0;
    Session session(model, options);
    session.append(std::vector<TokenId>{0, 0, 0});
    session.step({.max_new_tokens = 1});
  } catch (const Error& error) {
    require(!error.message().empty() && error.status() != Status::internal);
  }
  return 0;
}
