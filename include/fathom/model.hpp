// A model: immutable weights, shared by any number of sessions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fathom/runtime.hpp"
#include "fathom/tokenizer.hpp"

namespace fathom {

enum class CacheFormat : std::int32_t { automatic = 0, f32 = 1, f16 = 2, bf16 = 3 };

struct ModelOptions {
  // Called while loading with the share done in [0, 1] and what is being done; returning false stops with
  // Error{cancelled}.
  std::function<bool(double done, std::string_view what)> progress;
  // Read every weight once and refuse the checkpoint when one is NaN or infinite (Error{corrupt_file} naming the tensor).
  bool verify = false;
};

struct ModelInfo {
  std::string path;
  std::string family;           // "deepseek_v3", "llama", ...
  std::string container;        // "huggingface" or "gguf"
  std::string name;             // as the checkpoint calls itself; may be empty
  std::int64_t layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t vocab_size = 0;  // rows of the output head
  std::int64_t context_length = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t experts = 0;           // routed experts of a layer; 0 for dense models
  std::int64_t experts_per_token = 0;
  std::int64_t parameters = 0;        // values in all tensors
  std::int64_t weight_bytes = 0;      // as stored
  CacheFormat automatic_cache = CacheFormat::f16;       // what CacheFormat::automatic means for this model
  std::int64_t cache_values_per_token = 0;              // times 4 (F32) or 2 (F16, BF16): bytes of a token
  bool has_tokenizer = false;
  std::string chat_format;      // empty when none of the built-in ones
};

// A shared handle. Any thread.
class Model {
 public:
  // `path`: a Hugging Face folder or a GGUF file. Throws Error; on failure nothing is kept.
  static Model open(const Runtime& runtime, const std::string& path, const ModelOptions& options = {});

  const ModelInfo& info() const noexcept;
  // Throws Error{not_found} for a checkpoint without tokenizer files.
  const Tokenizer& tokenizer() const;
  // Bytes a session of this context length will hold: its cache, filled to the end, and its scratch memory.
  std::int64_t session_bytes(std::int64_t context_length, CacheFormat cache = CacheFormat::automatic) const;

  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<const Impl>& impl() const noexcept { return impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

struct TensorSummary {
  std::string name;
  std::string format;               // "BF16", "Q4_K", ...
  std::vector<std::int64_t> shape;  // outermost first
  std::int64_t bytes = 0;
};

// What a checkpoint is, from its headers alone: no weight is read.
struct Inspection {
  ModelInfo info;
  bool runs = false;
  std::string reason;  // when it does not run: why, as a sentence
  std::vector<std::pair<std::string, std::string>> configuration;  // name, value; in reading order
  std::vector<TensorSummary> tensors;
};

// Throws only when `path` is no checkpoint at all; one that cannot run is described, with the reason.
Inspection inspect(const Runtime& runtime, const std::string& path);

}  // namespace fathom
