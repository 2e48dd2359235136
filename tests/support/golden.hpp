// Reads golden.safetensors of a conformance fixture: prompts and what the reference implementation made of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

// The experts one layer chose for each token of a prompt.
struct GoldenRouter {
  std::int32_t layer = 0;
  std::int64_t per_token = 0;
  std::vector<std::int32_t> ids;  // [tokens, per_token], ascending in each row
  std::vector<float> weights;     // likewise; empty for long prompts
};

struct GoldenPrompt {
  std::string id;  // "p0", "p1", ...
  std::vector<std::int32_t> input_ids;
  std::int64_t vocab_size = 0;
  std::vector<std::int64_t> logits_at;  // positions of the rows of `logits`
  std::vector<float> logits;            // [logits_at, vocab]
  std::vector<std::int32_t> argmax;     // at every position
  std::vector<float> argmax_margin;
  std::vector<std::int32_t> greedy;  // continuation; end-of-sequence tokens do not stop it
  std::vector<float> greedy_margin;
  std::vector<float> greedy_logits_last;  // [vocab], from which the last token of `greedy` was chosen
  std::vector<GoldenRouter> routers;      // by layer; empty for dense models

  std::int64_t length() const { return std::int64_t(input_ids.size()); }
};

// The residual stream of one prompt: after the embedding, after each layer, after the final norm.
struct GoldenHidden {
  std::string id;
  std::vector<std::int32_t> input_ids;
  std::int64_t hidden_size = 0;
  std::vector<std::vector<float>> stages;  // "embed", "00", "01", ..., "norm"; each [tokens, hidden]
  std::vector<std::string> names;          // of the stages
};

std::vector<GoldenPrompt> read_golden(const std::string& model_folder);
// Texts as token ids, where the file has some ("held_out"); none otherwise.
std::vector<std::vector<std::int32_t>> read_golden_texts(const std::string& model_folder);
GoldenHidden read_golden_hidden(const std::string& model_folder);

// tests/conformance/data/<model>
std::string conformance_folder(std::string_view model);

}  // namespace fathom::test
