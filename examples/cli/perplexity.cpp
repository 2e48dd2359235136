// fathom perplexity: how surprised a model is by a text, over windows that slide along it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "command.hpp"
#include "input.hpp"
#include "limits.hpp"
#include "loading.hpp"
#include "prompt.hpp"

namespace cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::string file;
  std::string tokens_file;
  std::int64_t context = 0;
  std::int64_t stride = 0;
  bool json = false;
};

// -log softmax(logits)[token]
double negative_log_likelihood(std::span<const float> logits, fathom::TokenId token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<std::size_t>(token)];
}

struct Score {
  double sum = 0;
  std::int64_t tokens = 0;
  double mean() const { return sum / static_cast<double>(tokens); }
};

// Adds the tokens of `window` from `first` on. Each needs a token before it, so the window's own first never counts.
void add_window(fathom::Session& session, std::span<const fathom::TokenId> window, std::int64_t first, Score& score) {
  session.reset();
  session.append(window);
  fathom::StepOptions step{.max_new_tokens = 0};
  step.on_logits = [&](std::int64_t position, std::span<const float> logits) {
    const std::int64_t next = position + 1;
    if (next < first || next >= static_cast<std::int64_t>(window.size())) return;
    score.sum += negative_log_likelihood(logits, window[static_cast<std::size_t>(next)]);
    ++score.tokens;
  };
  session.step(step);
}

std::int64_t default_context(const fathom::ModelInfo& info) {
  return info.context_length > 0 ? std::min<std::int64_t>(info.context_length, 2048) : 2048;
}

std::vector<fathom::TokenId> encode(const fathom::Model& model, const std::string& text) {
  return model.tokenizer().encode(text, {.add_special = true});
}

int perplexity(const Arguments& arguments) {
  if (arguments.file.empty() == arguments.tokens_file.empty()) throw UsageError("give either --file or --tokens-file");
  const bool as_ids = arguments.file.empty();
  const std::string& path = as_ids ? arguments.tokens_file : arguments.file;
  const std::string content = read_file(path);
  if (arguments.context > 0 && arguments.stride > arguments.context) {
    throw UsageError("--stride larger than --context would leave tokens out");
  }
  const LoadedModel loaded = load(arguments.model);
  const std::vector<fathom::TokenId> tokens = as_ids ? parse_token_ids(content) : encode(loaded.model, content);
  const std::int64_t count = static_cast<std::int64_t>(tokens.size());
  if (count < 2) throw std::runtime_error(path + " is too short: perplexity needs two tokens at least");

  const std::int64_t context = arguments.context > 0 ? arguments.context : default_context(loaded.model.info());
  const std::int64_t stride =
      arguments.stride > 0 ? std::min(arguments.stride, context) : std::max<std::int64_t>(context / 2, 1);
  fathom::SessionOptions options;
  options.context_length = std::min(context, count);
  options.cache = arguments.model.cache_format();
  fathom::Session session(loaded.model, options);

  Score score;
  for (std::int64_t begin = 0, counted = 0; counted < count; begin += stride) {
    const std::int64_t end = std::min(begin + context, count);
    add_window(session, std::span(tokens).subspan(begin, end - begin), counted - begin, score);
    counted = end;
  }
  if (!std::isfinite(score.sum)) throw std::runtime_error("the model's logits are not finite numbers");

  if (arguments.json) {
    const nlohmann::ordered_json object = {{"perplexity", std::exp(score.mean())},
                                           {"nll", score.mean()},
                                           {"tokens", score.tokens},
                                           {"context", context},
                                           {"stride", stride}};
    std::cout << object.dump() << '\n';
  } else {
    std::printf("perplexity %.4f  (%.5f nats a token, %lld tokens, windows of %lld, stride %lld)\n", std::exp(score.mean()),
                score.mean(), static_cast<long long>(score.tokens), static_cast<long long>(context),
                static_cast<long long>(stride));
  }
  return kOk;
}

}  // namespace

void add_perplexity(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("perplexity", "Measure how well a model predicts a text");
  auto arguments = std::make_shared<Arguments>();
  arguments->model.add_to(*command);
  command->add_option("--file", arguments->file, "The text; -: standard input");
  command->add_option(
      "--tokens-file", arguments->tokens_file,
      "Instead of a text, its token ids, separated by commas or white space (nothing is put in front); -: stdin");
  command->add_option("--context", arguments->context, "Tokens in a window; by default the model's context, at most 2048")
      ->check(integer(2));
  command->add_option("--stride", arguments->stride, "Tokens from one window to the next; by default half a window")
      ->check(integer(1));
  command->add_flag("--json", arguments->json, "One JSON object: perplexity, nll, tokens, context, stride");
  command->footer(
      "A token counts once, in the first window that holds it; one that begins a window has nothing before it and does not "
      "count.\n"
      "Examples:\n"
      "  fathom perplexity model.gguf --file wiki.test.raw\n"
      "  fathom perplexity model.gguf --file - --context 512 --stride 512 --json < text.txt\n"
      "  fathom perplexity without-tokenizer.gguf --tokens-file ids.txt");
  command->callback([arguments, &chosen] { chosen = [arguments] { return perplexity(*arguments); }; });
}

}  // namespace cli
