#include "text/open_tokenizer.hpp"

#include "base/error.hpp"

namespace fathom::text {
namespace {

bool is_gguf(const io::Checkpoint& checkpoint) { return checkpoint.container == io::Container::gguf; }

}  // namespace

bool has_tokenizer(const io::Checkpoint& checkpoint) noexcept {
  if (!is_gguf(checkpoint)) return !checkpoint.tokenizer.is_null();
  const std::string_view model = checkpoint.config["tokenizer.ggml.model"].as_string().value_or("");
  if (model == "none" || model == "no_vocab") return false;  // GGUF's words for a file without a vocabulary
  return checkpoint.config.has("tokenizer.ggml.model");
}

std::unique_ptr<Tokenizer> open_tokenizer(const io::Checkpoint& checkpoint) {
  if (!has_tokenizer(checkpoint)) {
    fail(Status::not_found, "{}: {}, so there is no text, only token ids", checkpoint.path,
         is_gguf(checkpoint) ? "the file holds no tokenizer" : "the folder has no tokenizer.json");
  }
  if (is_gguf(checkpoint)) return Tokenizer::from_gguf(checkpoint.config, checkpoint.path);
  return Tokenizer::from_huggingface(checkpoint.tokenizer, checkpoint.tokenizer_config, checkpoint.path);
}

std::unique_ptr<Tokenizer> open_tokenizer(FileSystem& files, const std::string& path) {
  return open_tokenizer(io::open_checkpoint(files, path, io::Want::text));
}

}  // namespace fathom::text
