// A checkpoint, told by what lies at its path: a folder of Hugging Face's layout, or a GGUF file.
#include "io/open.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "io/folder.hpp"
#include "io/gguf.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"

namespace fathom::io {
namespace {

// The document of that name; null when the folder has none.
Value read_document(FileSystem& files, const std::string& folder, std::string_view name) {
  const std::string path = join(folder, name);
  if (!files.is_file(path)) return {};
  return parse_json(read_text(files, path), path);
}

// Newer checkpoints keep the chat template in a file of its own.
Value with_chat_template(FileSystem& files, const std::string& folder, Value tokenizer_config) {
  const std::string path = join(folder, "chat_template.jinja");
  if (tokenizer_config.has("chat_template") || !files.is_file(path)) return tokenizer_config;
  Value::Object members = tokenizer_config.object();
  members.emplace_back("chat_template", Value(read_text(files, path)));
  return Value(std::move(members));
}

[[noreturn]] void refuse_folder(FileSystem& files, const std::string& folder, std::string_view missing) {
  if (files.is_directory(join(folder, missing))) {
    fail(Status::not_found, "{}: it is a directory, expected a file of that name", join(folder, missing));
  }
  const std::vector<std::string> names = files.list(folder);
  const auto gguf = std::find_if(names.begin(), names.end(), [](const std::string& name) { return name.ends_with(".gguf"); });
  if (gguf != names.end()) {
    fail(Status::not_found, "{}: no {} in this folder, but {}: a GGUF model is opened by the path of its file", folder, missing,
         *gguf);
  }
  fail(Status::not_found,
       "{}: no {} in this folder; expected a Hugging Face checkpoint (config.json, *.safetensors, tokenizer.json)", folder,
       missing);
}

Checkpoint open_folder(FileSystem& files, const std::string& folder, Want want) {
  const std::string_view needed = want == Want::everything ? "config.json" : "tokenizer.json";
  if (!files.is_file(join(folder, needed))) refuse_folder(files, folder, needed);
  Checkpoint checkpoint;
  checkpoint.path = folder;
  checkpoint.config = read_document(files, folder, "config.json");
  checkpoint.generation_config = read_document(files, folder, "generation_config.json");
  checkpoint.tokenizer = read_document(files, folder, "tokenizer.json");
  checkpoint.tokenizer_config = with_chat_template(files, folder, read_document(files, folder, "tokenizer_config.json"));
  if (want == Want::everything) checkpoint.tensors = open_safetensors_folder(files, folder);
  return checkpoint;
}

Checkpoint open_gguf_file(FileSystem& files, const std::string& path) {
  GgufFile file = open_gguf(files, path);
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.container = Container::gguf;
  checkpoint.config = std::move(file.metadata);
  checkpoint.tensors = std::move(file.tensors);
  return checkpoint;
}

// By GGUF's magic.
bool is_gguf(FileSystem& files, const std::string& path) {
  const std::unique_ptr<File> file = files.open(path);
  if (file->size() == 0) fail(Status::corrupt_file, "{}: the file is empty", path);
  std::array<char, 4> magic{};
  if (file->size() < magic.size()) return false;
  file->read_at(0, std::as_writable_bytes(std::span(magic)));
  return std::string_view(magic.data(), magic.size()) == "GGUF";
}

}  // namespace

Checkpoint open_checkpoint(FileSystem& files, const std::string& path, Want want) {
  if (files.is_directory(path)) return open_folder(files, path, want);
  if (!files.is_file(path)) fail(Status::not_found, "{}: no such file or folder", path);
  if (is_gguf(files, path)) return open_gguf_file(files, path);
  if (path.ends_with(".safetensors")) return open_folder(files, folder_of(path), want);
  fail(Status::corrupt_file,
       "{}: neither a GGUF file (its first four bytes are not 'GGUF') nor a *.safetensors file nor a folder", path);
}

}  // namespace fathom::io
