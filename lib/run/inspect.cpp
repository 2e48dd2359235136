// What a checkpoint is, without reading its weights.
#include "fathom/chat.hpp"
#include "fathom/model.hpp"
#include "model/load/open_model.hpp"
#include "run/describe_model.hpp"
#include "run/model_impl.hpp"
#include "run/runtime_impl.hpp"
#include "run/session_memory.hpp"
#include "run/tokenizer_impl.hpp"
#include "text/open_tokenizer.hpp"

namespace fathom {

ModelInfo describe_model(const io::Checkpoint& checkpoint, const model::Config& config) {
  ModelInfo info;
  info.path = checkpoint.path;
  info.container = checkpoint.container == io::Container::gguf ? "gguf" : "huggingface";
  info.family = config.family;
  info.name = config.name;
  info.layers = config.num_hidden_layers;
  info.hidden_size = config.hidden_size;
  info.vocab_size = config.vocab_size;
  info.context_length = config.max_position_embeddings;
  info.heads = config.attention.heads;
  info.kv_heads = config.attention.kv_heads;
  info.experts = config.router.experts;
  info.experts_per_token = config.router.experts_per_token;
  info.cache_values_per_token = model::cache_values_per_token(config);
  return info;
}

Inspection inspect(const Runtime& runtime, const std::string& path) {
  const model::ModelHeader header = model::inspect_model(path, *runtime.impl()->files, runtime.impl()->engine);
  Inspection out;
  out.info = describe_model(header.checkpoint, header.config);
  out.runs = header.runs;
  out.reason = header.reason;
  if (header.network) {
    out.info.automatic_cache = automatic_cache(*header.network);
    out.session = session_memory(*header.network, out.info, {}, runtime.threads());
  }
  if (header.config.num_hidden_layers > 0) out.configuration = model::describe(header.config);
  for (const io::TensorInfo& tensor : header.checkpoint.tensors->tensors()) {
    out.tensors.push_back({tensor.name, tensor.type_name, tensor.shape, std::int64_t(tensor.bytes)});
    out.info.parameters += tensor.values();
    out.info.weight_bytes += std::int64_t(tensor.bytes);
  }
  out.info.has_tokenizer = text::has_tokenizer(header.checkpoint);
  if (out.info.has_tokenizer) {
    try {
      out.info.chat_format = chat_format(Tokenizer(std::make_shared<Tokenizer::Impl>(text::open_tokenizer(header.checkpoint))));
    } catch (const Error& error) {
      out.info.has_tokenizer = false;
      if (out.runs) out.reason = error.message();
    }
  }
  return out;
}

}  // namespace fathom
