// The tokenizer itself: added tokens, normalizer, pre-tokenizer, model and the bytes of every token, put together.
// tokenizer_huggingface.cpp and tokenizer_gguf.cpp read the parts from the two kinds of file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.hpp"
#include "text/bpe.hpp"
#include "text/normalizer.hpp"
#include "text/pretokenizer.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"

namespace fathom::text {

// What the tokens say when they are put together again.
struct TokenBytes {
  std::string bytes;                  // of all tokens, one after another
  std::vector<std::uint64_t> starts;  // [vocab_size + 1]
};

struct TokenizerParts {
  std::unique_ptr<Vocabulary> vocabulary;  // with the added tokens; the model points to it
  AddedTokens raw_added;                   // searched for in the text as it comes
  AddedTokens normalized_added;            // searched for behind the normalizer
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<Model> model;
  std::vector<TokenId> before, behind;  // put around a text by add_special

  TokenBytes token_bytes;
  std::vector<bool> is_special;  // [vocab_size]
  std::vector<bool> is_byte;     // [vocab_size] tokens of byte fallback
  bool strips_leading_space = false;
  bool replaces_each_byte = false;

  std::optional<TokenId> bos, eos;
  std::vector<TokenId> stop_tokens;
  std::string chat_template;
};

std::unique_ptr<Tokenizer> make_bpe_tokenizer(TokenizerParts parts);

// The tokens <0x00> to <0xFF>, -1 where the vocabulary has none.
ByteTokens fallback_bytes(const Vocabulary& vocabulary);
// The tokens of a byte-level vocabulary that stand for one byte.
ByteTokens level_bytes(const Vocabulary& vocabulary);

// Appends the bytes that the characters of a byte-level token stand for. False for a token that says its own text: a role
// marker, or an added token such as ü, which is found in texts as it is written and whose one byte is no character.
bool append_level_bytes(std::string_view text, bool is_added, std::string& out);

inline constexpr std::string_view kSpaceSymbol = "▁";  // U+2581, SentencePiece's stand-in for a space

// No token continues behind a word with the space symbol that begins the next: merging stays within words.
bool merges_within_words(const Vocabulary& vocabulary);

// Those of `vocabulary` that are known to end a turn or a text, with `eos`: sorted, each once.
std::vector<TokenId> find_stop_tokens(const Vocabulary& vocabulary, const std::vector<bool>& is_added,
                                      std::vector<TokenId> named);

}  // namespace fathom::text
