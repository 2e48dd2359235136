#include "fathom/tokenizer.hpp"

#include "base/error.hpp"
#include "io/open.hpp"
#include "run/runtime_impl.hpp"
#include "run/tokenizer_impl.hpp"
#include "run/tokenizer_open.hpp"

namespace fathom {

bool has_tokenizer(const io::Checkpoint& checkpoint) {
  if (checkpoint.container == io::Container::gguf) return checkpoint.config.has("tokenizer.ggml.model");
  return !checkpoint.tokenizer.is_null();
}

Tokenizer open_tokenizer(const io::Checkpoint& checkpoint) {
  auto impl = std::make_shared<Tokenizer::Impl>();
  if (!has_tokenizer(checkpoint)) {
    fail(Status::not_found, "{}: {}, so there is no text, only token ids", checkpoint.path,
         checkpoint.container == io::Container::gguf ? "the file holds no tokenizer" : "the folder has no tokenizer.json");
  }
  impl->tokenizer = checkpoint.container == io::Container::gguf
                        ? text::Tokenizer::from_gguf(checkpoint.config, checkpoint.path)
                        : text::Tokenizer::from_huggingface(checkpoint.tokenizer, checkpoint.tokenizer_config, checkpoint.path);
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::open(const Runtime& runtime, const std::string& path) {
  return open_tokenizer(io::open_checkpoint(*runtime.impl()->files, path, io::Want::text));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return impl_->tokenizer->encode(text, {options.parse_special, options.add_special});
}
std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  return impl_->tokenizer->decode(ids, skip_special);
}
std::int64_t Tokenizer::vocab_size() const noexcept { return impl_->tokenizer->vocab_size(); }
std::optional<TokenId> Tokenizer::find(std::string_view content) const { return impl_->tokenizer->find(content); }
std::optional<TokenId> Tokenizer::bos() const noexcept { return impl_->tokenizer->bos(); }
std::optional<TokenId> Tokenizer::eos() const noexcept { return impl_->tokenizer->eos(); }
std::span<const TokenId> Tokenizer::stop_tokens() const noexcept { return impl_->tokenizer->stop_tokens(); }

}  // namespace fathom
