// Tiny valid checkpoints of three families, as Hugging Face folders and as GGUF files, with a few things changed: a number of
// config.json, a byte of a header, the length of a file, a file that is missing, a tensor's storage format, a tensor that is
// dropped or added. The model is refused with a sentence, or runs.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fathom/session.hpp"
#include "fuzz/tensor_file.hpp"
#include "fuzz/tensor_oracle.hpp"
#include "support/gguf_convert.hpp"

namespace {

using fathom::fuzz::require;
using namespace fathom;

using Files = std::map<std::string, std::string>;

constexpr const char* kFamilies[] = {"deepseek-v3", "llama3", "mixtral"};

// Folders by the byte that chooses, but for the bytes from kFirstGguf on that choose the same as GGUF files.
constexpr std::uint8_t kFirstGguf = 0x80, kLastGguf = 0x8f;

const Files& gguf_of(std::size_t family) {
  static const std::vector<Files> all = [] {
    std::vector<Files> made;
    for (const char* name : kFamilies) {
      made.push_back({{"model.gguf", test::convert_to_gguf(std::string(FATHOM_TEST_DATA "/") + name).finish()}});
    }
    return made;
  }();
  return all[family % all.size()];
}

const Files& folder_of(std::size_t family) {
  static const std::vector<Files> all = [] {
    std::vector<Files> read;
    for (const char* name : kFamilies) {
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

// "blk.0.ffn_up.3.weight" with its last number replaced.
std::string with_last_number(const std::string& name, std::size_t number) {
  const std::size_t last = name.find_last_of("0123456789");
  if (last == name.npos) return name + std::to_string(number);
  std::size_t first = last;
  while (first > 0 && std::isdigit(static_cast<unsigned char>(name[first - 1]))) --first;
  return name.substr(0, first) + std::to_string(number) + name.substr(last + 1);
}

// Changes which tensors there are, or how one is stored; the file stays well-formed.
void edit_tensors(std::string& content, std::uint8_t move, std::size_t where, std::uint8_t choice) {
  std::optional<fuzz::TensorFile> file = fuzz::TensorFile::read(content);
  if (!file || file->tensors.empty()) return;
  const auto chosen = file->tensors.begin() + std::ptrdiff_t(where % file->tensors.size());
  switch (move % 4) {
    case 0:
      file->change_format(*chosen, choice);
      break;
    case 1:
      file->tensors.erase(chosen);
      break;
    case 2: {  // a bias of the tensor's rows, or of as many values as the choice says
      fuzz::TensorFile::Tensor bias = *chosen;
      bias.name = bias.name.substr(0, bias.name.rfind('.')) + ".bias";
      bias.shape = {choice < 128 && !chosen->shape.empty() ? chosen->shape.front() : std::int64_t(choice)};
      bias.format = StorageFormat::f32;
      bias.type_name = "F32";
      bias.bytes.assign(std::size_t(bias.shape[0]) * sizeof(float), '\0');
      if (choice & 1) std::fill(bias.bytes.begin(), bias.bytes.end(), '\x3d');
      file->tensors.push_back(std::move(bias));
      break;
    }
    default: {  // the same tensor once more: of a further expert or layer
      fuzz::TensorFile::Tensor copy = *chosen;
      copy.name = with_last_number(copy.name, choice);
      file->tensors.push_back(std::move(copy));
      break;
    }
  }
  content = file->write();
}

// Bytes of an edit that choose a change of tensors.
constexpr std::uint8_t kFirstTensorMove = 0xc0, kLastTensorMove = 0xcf;

void edit(Files& files, const std::uint8_t* b) {
  auto chosen = std::next(files.begin(), b[1] % std::ptrdiff_t(files.size()));
  std::string& content = chosen->second;
  if (content.empty()) return;
  const std::size_t where = b[2] | std::size_t(b[3]) << 8;
  if (b[0] >= kFirstTensorMove && b[0] <= kLastTensorMove) {
    std::vector<std::string*> weights;
    for (auto& [name, file] : files) {
      if (name.ends_with(".safetensors") || name.ends_with(".gguf")) weights.push_back(&file);
    }
    if (!weights.empty()) edit_tensors(*weights[b[1] % weights.size()], b[0], where, b[4]);
    return;
  }
  switch (b[0] % 6) {
    case 0:
      if (const auto config = files.find("config.json"); config != files.end()) change_number(config->second, where, b[4]);
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
  const bool gguf = data[0] >= kFirstGguf && data[0] <= kLastGguf;
  Files files = gguf ? gguf_of(data[0]) : folder_of(data[0]);
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
    // Different tokens go to different experts.
    const auto last = TokenId(model.info().vocab_size - 1);
    session.append(std::vector<TokenId>{0, std::min<TokenId>(1, last), std::min<TokenId>(2, last), last});
    session.step({.max_new_tokens = 1});
  } catch (const Error& error) {
    require(!error.message().empty() && error.status() != Status::internal);
  }
  return 0;
}
