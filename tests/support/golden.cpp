// Golden files through the library's own safetensors reader, which has tests of its own.
#include "support/golden.hpp"

#include <cstring>
#include <memory>
#include <stdexcept>

#include "io/safetensors.hpp"
#include "platform/os_file_system.hpp"

namespace fathom::test {
namespace {

class GoldenFile {
 public:
  explicit GoldenFile(const std::string& model_folder) : source_(open(model_folder + "/golden.safetensors")) {}

  bool has(const std::string& name) const { return source_.find(name) != nullptr; }

  const io::TensorInfo& info(const std::string& name) const {
    const io::TensorInfo* tensor = source_.find(name);
    if (tensor == nullptr) throw std::runtime_error("golden file lacks " + name);
    return *tensor;
  }

  template <typename T>
  std::vector<T> values(const std::string& name) const {
    const io::TensorInfo& tensor = info(name);
    if (tensor.format != (std::is_same_v<T, float> ? StorageFormat::f32 : StorageFormat::i32)) {
      throw std::runtime_error("golden file: " + name + " has type " + tensor.type_name);
    }
    std::vector<T> out(std::size_t(tensor.values()));
    if (!out.empty()) std::memcpy(out.data(), source_.bytes(tensor).data(), out.size() * sizeof(T));
    return out;
  }

 private:
  static io::TensorSource open(const std::string& path) {
    std::vector<std::unique_ptr<File>> parts;
    parts.push_back(os_file_system().open(path));
    std::vector<io::TensorInfo> tensors = io::read_safetensors_header(*parts.front(), 0);
    return io::TensorSource(std::move(parts), std::move(tensors));
  }

  io::TensorSource source_;
};

std::string two_digits(int number) { return (number < 10 ? "0" : "") + std::to_string(number); }

std::vector<GoldenRouter> read_routers(const GoldenFile& file, const std::string& prompt) {
  std::vector<GoldenRouter> routers;
  for (int layer = 0; layer < 100; ++layer) {
    const std::string prefix = prompt + "router." + two_digits(layer);
    if (!file.has(prefix + ".ids")) continue;
    GoldenRouter router{layer, file.info(prefix + ".ids").shape.at(1), file.values<std::int32_t>(prefix + ".ids"), {}};
    if (file.has(prefix + ".weights")) router.weights = file.values<float>(prefix + ".weights");
    routers.push_back(std::move(router));
  }
  return routers;
}

GoldenPrompt read_prompt(const GoldenFile& file, const std::string& id) {
  const std::string prefix = id + ".";
  GoldenPrompt prompt;
  prompt.id = id;
  prompt.input_ids = file.values<std::int32_t>(prefix + "input_ids");
  prompt.logits = file.values<float>(prefix + "logits");
  prompt.vocab_size = file.info(prefix + "logits").shape.at(1);
  if (file.has(prefix + "logits_at")) {
    for (const std::int32_t position : file.values<std::int32_t>(prefix + "logits_at")) prompt.logits_at.push_back(position);
  } else {
    for (std::int64_t position = 0; position < prompt.length(); ++position) prompt.logits_at.push_back(position);
  }
  prompt.argmax = file.values<std::int32_t>(prefix + "argmax");
  prompt.argmax_margin = file.values<float>(prefix + "argmax_margin");
  prompt.greedy = file.values<std::int32_t>(prefix + "greedy");
  prompt.greedy_margin = file.values<float>(prefix + "greedy_margin");
  prompt.greedy_logits_last = file.values<float>(prefix + "greedy_logits_last");
  prompt.routers = read_routers(file, prefix);
  return prompt;
}

}  // namespace

std::vector<GoldenPrompt> read_golden(const std::string& model_folder) {
  const GoldenFile file(model_folder);
  std::vector<GoldenPrompt> prompts;
  for (int number = 0; file.has("p" + std::to_string(number) + ".input_ids"); ++number) {
    prompts.push_back(read_prompt(file, "p" + std::to_string(number)));
  }
  return prompts;
}

std::vector<std::vector<std::int32_t>> read_golden_texts(const std::string& model_folder) {
  const GoldenFile file(model_folder);
  if (!file.has("held_out.ids")) return {};
  const auto ids = file.values<std::int32_t>("held_out.ids");
  std::vector<std::vector<std::int32_t>> texts;
  std::int32_t begin = 0;
  for (const std::int32_t end : file.values<std::int32_t>("held_out.ends")) {
    texts.emplace_back(ids.begin() + begin, ids.begin() + end);
    begin = end;
  }
  return texts;
}

GoldenHidden read_golden_hidden(const std::string& model_folder) {
  const GoldenFile file(model_folder);
  GoldenHidden hidden;
  for (int number = 0; file.has("p" + std::to_string(number) + ".input_ids"); ++number) {
    const std::string id = "p" + std::to_string(number);
    if (!file.has(id + ".hidden.embed")) continue;
    hidden.id = id;
    hidden.input_ids = file.values<std::int32_t>(id + ".input_ids");
    hidden.hidden_size = file.info(id + ".hidden.embed").shape.at(1);
    hidden.names = {"embed"};
    for (int layer = 0; file.has(id + ".hidden." + two_digits(layer)); ++layer) hidden.names.push_back(two_digits(layer));
    hidden.names.push_back("norm");
    for (const std::string& name : hidden.names) hidden.stages.push_back(file.values<float>(id + ".hidden." + name));
    return hidden;
  }
  throw std::runtime_error(model_folder + ": no prompt has hidden states");
}

std::string conformance_folder(std::string_view model) { return std::string(FATHOM_TEST_DATA "/") + std::string(model); }

}  // namespace fathom::test
