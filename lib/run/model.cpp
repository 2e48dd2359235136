#include "fathom/model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "fathom/chat.hpp"
#include "fathom/session.hpp"
#include "model/load/fingerprint.hpp"
#include "model/load/open_model.hpp"
#include "model/load/token_cost.hpp"
#include "platform/memory_files.hpp"
#include "run/describe_model.hpp"
#include "run/model_impl.hpp"
#include "run/recommended_sampling.hpp"
#include "run/session_defaults.hpp"
#include "run/tokenizer_impl.hpp"
#include "text/chat.hpp"
#include "text/open_tokenizer.hpp"

namespace fathom {
namespace {

// The tokenizer's end markers, those of the chat format, and what generation_config.json or config.json lists.
std::vector<TokenId> collect_stop_tokens(const io::Checkpoint& checkpoint, const std::optional<Tokenizer>& tokenizer) {
  std::vector<TokenId> stops;
  const auto add = [&](TokenId id) {
    if (std::find(stops.begin(), stops.end(), id) == stops.end()) stops.push_back(id);
  };
  if (tokenizer) {
    const text::Tokenizer& inner = *tokenizer->impl()->tokenizer;
    for (TokenId id : inner.stop_tokens()) add(id);
    for (TokenId id : text::chat_stop_tokens(text::detect_chat_format(inner), inner)) add(id);
  }
  const auto add_value = [&](const io::Value& value) {
    if (const auto id = value.as_int(); id && *id >= 0 && *id < 1 << 24) add(TokenId(*id));
  };
  if (checkpoint.container == io::Container::gguf) {
    // The tokenizer has read these keys already, where there is one.
    for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
      if (!tokenizer) add_value(checkpoint.config[key]);
    }
    return stops;
  }
  const io::Value& listed = checkpoint.generation_config.has("eos_token_id") ? checkpoint.generation_config["eos_token_id"]
                                                                             : checkpoint.config["eos_token_id"];
  add_value(listed);
  for (const io::Value& value : listed.array()) add_value(value);
  return stops;
}

}  // namespace

CacheFormat automatic_cache(const model::Network& network) {
  return network.automatic_cache_format() == StorageFormat::f32 ? CacheFormat::f32 : CacheFormat::f16;
}

StorageFormat cache_storage(CacheFormat format, const model::Network& network) {
  switch (format) {
    case CacheFormat::automatic:
      return network.automatic_cache_format();
    case CacheFormat::f32:
      return StorageFormat::f32;
    case CacheFormat::f16:
      return StorageFormat::f16;
    case CacheFormat::bf16:
      return StorageFormat::bf16;
    case CacheFormat::q8_0:
      if (model::caches_in_blocks(network.config, 32)) return StorageFormat::q8_0;
      fail(Status::unsupported,
           "a Q8_0 cache stores 32 values together, and this model's keys and values are not multiples of that");
  }
  fail(Status::invalid_argument, "cache format {} is not one of automatic, f32, f16, bf16, q8_0", int(format));
}

namespace {

model::LoadOptions load_options(const Runtime::Impl& host, const ModelOptions& options) {
  model::LoadOptions load;
  load.progress = options.progress;
  load.verify = options.verify;
  load.read = options.read;
  load.readers = host.tasks;
  if (!options.lazy && !options.read) load.bring_in = host.tasks;
  load.max_rows = kMaxChunkRows;
  return load;
}

// The first few names; a checkpoint may have thousands.
void warn_of(LogSink& log, const std::string& path, std::string_view what, const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 5;
  if (names.empty()) return;
  const auto named = std::span(names).first(std::min(names.size(), kNamed));
  log.write(LogLevel::warning, fmt::format("{}: {} {}: {}{}", path, names.size(), what, fmt::join(named, ", "),
                                           names.size() > kNamed ? ", ..." : ""));
}

// A model works by token ids where its tokenizer cannot be read. The log says why, and so does Model::tokenizer().
void read_tokenizer(const io::Checkpoint& checkpoint, Model::Impl& impl) {
  if (!text::has_tokenizer(checkpoint)) return;
  try {
    Tokenizer tokenizer(std::make_shared<Tokenizer::Impl>(text::open_tokenizer(checkpoint)));
    impl.info.chat_format = chat_format(tokenizer);
    impl.tokenizer = std::move(tokenizer);
    impl.info.has_tokenizer = true;
  } catch (const Error& error) {
    if (error.status() != Status::unsupported && error.status() != Status::corrupt_file) throw;
    impl.tokenizer_fault = error;
    if (impl.runtime->log) {
      impl.runtime->log->write(LogLevel::warning, fmt::format("only token ids work: {}", error.message()));
    }
  }
}

std::shared_ptr<Model::Impl> open_impl(const std::shared_ptr<Runtime::Impl>& host, FileSystem& files, const std::string& path,
                                       const ModelOptions& options) {
  const model::LoadOptions load = load_options(*host, options);
  model::OpenedModel opened = model::open_model(path, files, host->engine, *host->allocator, load);

  auto impl = std::make_shared<Model::Impl>();
  impl->runtime = host;
  impl->network = std::move(opened.network);
  impl->passes = std::make_unique<PassPool>(*impl->network, host->tasks->concurrency(), *host->allocator);
  impl->info = describe_model(opened.checkpoint, impl->network->config);
  impl->info.parameters = opened.parameters;
  impl->info.weight_bytes = opened.weight_bytes;
  impl->info.streams = impl->network->engine->streams.text();
  const model::TokenCost cost = model::token_cost(*impl->network);
  impl->info.bytes_per_token = cost.bytes;
  impl->info.expert_bytes_per_token = cost.expert_bytes;
  impl->info.multiply_adds_per_token = cost.multiply_adds;
  impl->info.head_multiply_adds = cost.head_multiply_adds;
  impl->info.automatic_cache = automatic_cache(*impl->network);
  read_tokenizer(opened.checkpoint, *impl);
  impl->stop_tokens = collect_stop_tokens(opened.checkpoint, impl->tokenizer);
  impl->recommended_sampling = recommended_sampling(opened.checkpoint, host->log);
  impl->texts = std::move(opened.texts);
  impl->mapped_ends = std::move(opened.mapped_ends);
  if (host->log) {
    warn_of(*host->log, path, "tensors that the model has no use for", opened.unused_tensors);
    warn_of(*host->log, path, "configuration keys that nobody knows", opened.unknown_keys);
    host->log->write(LogLevel::info, fmt::format("opened {}: {}, {} layers, {:.1f} million parameters, {:.1f} MB", path,
                                                 impl->info.family, impl->info.layers, double(impl->info.parameters) * 1e-6,
                                                 double(impl->info.weight_bytes) * 1e-6));
  }
  return impl;
}

}  // namespace

Model Model::open(const Runtime& runtime, const std::string& path, const ModelOptions& options) {
  return Model(open_impl(runtime.impl(), *runtime.impl()->files, path, options));
}

Model Model::open_memory(const Runtime& runtime, std::span<const MemoryFile> given, const ModelOptions& options) {
  MemoryFiles files(given);
  return Model(open_impl(runtime.impl(), files, files.checkpoint_path(), options));
}

MemoryNeeds Model::memory_needed(const Runtime& runtime, const std::string& path, const ModelOptions& options) {
  const Runtime::Impl& host = *runtime.impl();
  const model::LoadNeeds needs = model::measure_model(path, *host.files, host.engine, load_options(host, options));
  MemoryNeeds out;
  out.mapped_bytes = needs.mapped_bytes;
  out.weights_bytes = needs.weights_bytes;
  out.peak_bytes = out.weights_bytes;
  return out;
}

std::optional<std::string> Model::text(std::string_view key) const {
  for (const auto& [name, value] : impl_->texts) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Model::text_keys() const {
  std::vector<std::string> keys;
  for (const auto& [name, value] : impl_->texts) keys.push_back(name);
  return keys;
}

void Model::Impl::check_files() const { network->stored->check_files(mapped_ends); }

const std::array<std::uint8_t, 32>& Model::Impl::fingerprint() const {
  std::call_once(fingerprint_made_, [this] {
    network->stored->check_files();  // every tensor is looked at, also where it was moved
    fingerprint_ = model::fingerprint(*network);
  });
  return fingerprint_;
}

const std::array<std::uint8_t, 32>& Model::fingerprint() const { return impl_->fingerprint(); }

const ModelInfo& Model::info() const noexcept { return impl_->info; }

const SamplingOptions& Model::recommended_sampling() const noexcept { return impl_->recommended_sampling; }

const Tokenizer& Model::tokenizer() const {
  if (impl_->tokenizer_fault) throw Error(*impl_->tokenizer_fault);
  if (!impl_->tokenizer)
    fail(Status::not_found, "{}: there is no tokenizer beside the weights, only token ids work", info().path);
  return *impl_->tokenizer;
}

std::int64_t Model::session_bytes(std::int64_t context_length, CacheFormat cache) const {
  if (context_length < 1 || context_length > info().context_length) {
    fail(Status::invalid_argument, "a context of {} tokens, expected 1 to {}", context_length, info().context_length);
  }
  SessionOptions options;
  options.context_length = context_length;
  options.cache = cache;
  const MemoryNeeds needs = session_memory(options);
  return needs.cache_bytes + needs.scratch_bytes;
}

}  // namespace fathom
