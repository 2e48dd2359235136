// A model: immutable weights, shared by any number of sessions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fathom/runtime.hpp"
#include "fathom/sampling.hpp"
#include "fathom/tokenizer.hpp"

namespace fathom {

// f16 stores numbers above 65,504 as infinity: bf16 or f32 for models whose keys or values are larger.
enum class CacheFormat : std::int32_t { automatic = 0, f32 = 1, f16 = 2, bf16 = 3, q8_0 = 4 };

struct ModelOptions {
  // Reports progress while loading: the finished share in [0, 1] and the name of the current work. Returning false stops
  // loading with Error{cancelled}.
  std::function<bool(double done, std::string_view what)> progress;
  // Read every weight once, and refuse a checkpoint with a NaN or infinite weight (Error{corrupt_file} names the tensor).
  bool verify = false;
  // Let mapped weights stay as the file has them and come into memory as they are first used: opening takes no time then, the
  // first tokens do. Otherwise they are read before open returns, unless they are larger than the machine's memory; and
  // matrices are moved into memory from the allocator, in the order that products read fastest, where the file is the system's
  // (its pages go in exchange) and the model takes no more than 60 % of the machine's memory. Results are the same bits.
  //
  // A mapped file must keep its length and its bytes while the model is open. Where another program shortens it, reading the
  // lost pages ends the process, which no library can prevent: the system sends SIGBUS. Sessions and steps compare the file's
  // length before they start and throw Error{io_error}, but a file that is cut during a step is not noticed in time. Replace
  // model files by renaming a new file to their name; renaming and deleting are harmless.
  bool lazy = false;
  // Read the files instead of mapping them, whole, into memory from the allocator, before open returns; `lazy` then means
  // nothing. Nothing is mapped, and the files are not used any more: other programs may change them. Costs the size of the
  // files in memory, and some speed of generation, because matrices stay in the order of the file. Results are the same bits.
  bool read = false;
};

struct ModelInfo {
  std::string path;
  std::string family;     // "deepseek_v3", "llama", ...
  std::string container;  // "huggingface" or "gguf"
  std::string name;       // from the checkpoint; may be empty
  std::int64_t layers = 0;
  std::int64_t hidden_size = 0;
  std::int64_t vocab_size = 0;  // rows of the output head
  std::int64_t context_length = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t experts = 0;  // routed experts of a layer; 0 for dense models
  std::int64_t experts_per_token = 0;
  std::int64_t parameters = 0;    // values in all tensors
  std::int64_t weight_bytes = 0;  // as stored
  // Costs of one token in matrices, with experts_per_token of each layer's experts; 0 from inspect(). Vectors and attention
  // over the cache are not counted.
  std::int64_t bytes_per_token = 0;                // of weights, read to generate one token
  std::int64_t expert_bytes_per_token = 0;         // the part of routed experts
  std::int64_t multiply_adds_per_token = 0;        // without the output head
  std::int64_t head_multiply_adds = 0;             // of the output head
  CacheFormat automatic_cache = CacheFormat::f16;  // the format that CacheFormat::automatic means
  std::int64_t cache_values_per_token = 0;         // times 4 (F32), 2 (F16, BF16) or 34/32 (Q8_0): bytes of a token
  bool has_tokenizer = false;
  std::string chat_format;  // empty when none of the built-in ones
  // How this model's products prefetch weights: "Q4_K=none,8k,tile Q6_K=4k,4k,tile" lists for each storage format the variant
  // for few, several and many tokens at once. "builtin" where nothing was timed; empty from inspect(). RuntimeOptions::streams
  // takes it.
  std::string streams;
};

// Memory by what it is for. mapped_bytes are the files', read where they lie; cache, scratch and weights come from the host's
// allocator. Each session has its own cache_bytes and other_bytes, which are its timeline, its logits and what is not taken.
// Sessions of a model share scratch_bytes, unless they step at the same time.
struct MemoryNeeds {
  std::int64_t mapped_bytes = 0;
  std::int64_t weights_bytes = 0;  // of weights that are read or moved into memory
  std::int64_t cache_bytes = 0;
  std::int64_t scratch_bytes = 0;
  std::int64_t other_bytes = 0;
  std::int64_t peak_bytes = 0;  // the most at any moment, without mapped_bytes
};

struct SessionOptions;

// A shared handle. Any thread.
class Model {
 public:
  // Opens a model. `path` is a Hugging Face folder or a GGUF file. Throws Error; after a failure nothing is kept.
  static Model open(const Runtime& runtime, const std::string& path, const ModelOptions& options = {});

  // The same from memory: one GGUF file, the first of a series of them, or the files of a Hugging Face folder. The bytes are
  // read where they lie and must stay until the model and all its sessions are gone; with ModelOptions::read they are copied
  // and may go once this returns.
  static Model open_memory(const Runtime& runtime, std::span<const MemoryFile> files, const ModelOptions& options = {});
  // The memory that open() would take. Reads headers and no weights. Throws as open() does.
  static MemoryNeeds memory_needed(const Runtime& runtime, const std::string& path, const ModelOptions& options = {});

  const ModelInfo& info() const noexcept;
  // The sampling that the checkpoint recommends: generation_config.json of a folder, general.sampling.* of a GGUF file. The
  // default is greedy, and so is this where the checkpoint recommends nothing. Values of another type or out of range are left
  // out, with a warning in the log. The seed is 0: give each session one of its own. Sessions use it only when they get it.
  const SamplingOptions& recommended_sampling() const noexcept;
  // What the checkpoint says of itself under `key`: a metadata key of a GGUF file, a dotted path into config.json, or
  // "chat_template"; lists and texts of more than 1 MiB are left out. Nothing for a key there is not.
  std::optional<std::string> text(std::string_view key) const;
  // The keys of text().
  std::vector<std::string> text_keys() const;
  // Bytes that are equal for equal checkpoints, whatever their path. They come from the configuration and from the name, shape,
  // format, first and last bytes of every tensor. They identify a checkpoint and do not protect against forgery. The first call
  // reads a little of every tensor. Throws Error{out_of_memory}.
  const std::array<std::uint8_t, 32>& fingerprint() const;
  // Throws Error{not_found} for a checkpoint without a tokenizer, and Error{unsupported, corrupt_file} where the tokenizer it
  // has cannot be read: such a model works by token ids.
  const Tokenizer& tokenizer() const;
  // Bytes a session of this context length takes alone: its cache, filled to the end, and the scratch memory of its steps,
  // which further sessions share.
  std::int64_t session_bytes(std::int64_t context_length, CacheFormat cache = CacheFormat::automatic) const;
  // What a session with these options takes when it is the model's only one. Throws as Session's constructor does for them.
  MemoryNeeds session_memory(const SessionOptions& options) const;

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

// A description of a checkpoint from its headers. No weight is read.
struct Inspection {
  ModelInfo info;
  bool runs = false;
  std::string reason;                                              // why it does not run, or runs without its tokenizer
  std::vector<std::pair<std::string, std::string>> configuration;  // name, value; in reading order
  std::vector<TensorSummary> tensors;
  // What a session with the default options takes on this runtime; all 0 where the checkpoint does not run.
  // info.automatic_cache holds as well.
  MemoryNeeds session;
};

// Describes a checkpoint, also one that cannot run, with the reason. Throws only when `path` is no checkpoint.
Inspection inspect(const Runtime& runtime, const std::string& path);

}  // namespace fathom
