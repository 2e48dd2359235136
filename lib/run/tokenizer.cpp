#include "fathom/tokenizer.hpp"

#include "run/runtime_impl.hpp"
#include "run/tokenizer_impl.hpp"
#include "text/open_tokenizer.hpp"

namespace fathom {

Tokenizer Tokenizer::open(const Runtime& runtime, const std::string& path) {
  return Tokenizer(std::make_shared<Impl>(text::open_tokenizer(*runtime.impl()->files, path)));
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
