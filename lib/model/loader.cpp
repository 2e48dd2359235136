#include "model/loader.hpp"

#include <cmath>

#include "base/error.hpp"
#include "model/tensor_loader.hpp"
#include "quant/formats.hpp"

namespace fathom::model {
namespace {

void load_grouped_query(TensorLoader& t, std::int64_t layer, AttentionWeights& out) {
  const Config& c = t.config;
  out.q = t.linear(Role::attn_q, layer, c.num_attention_heads * c.head_dim, c.hidden_size, c.qkv_bias);
  out.k = t.linear(Role::attn_k, layer, c.num_key_value_heads * c.head_dim, c.hidden_size, c.qkv_bias);
  out.v = t.linear(Role::attn_v, layer, c.num_key_value_heads * c.v_head_dim, c.hidden_size, c.qkv_bias);
  if (c.qk_norm) {
    out.q_norm = t.vector(t.name(Role::attn_q_norm, layer), c.head_dim);
    out.k_norm = t.vector(t.name(Role::attn_k_norm, layer), c.head_dim);
  }
  if (c.sinks) out.sinks = t.vector(t.name(Role::attn_sinks, layer), c.num_attention_heads);
}

using Order = TensorLoader::Order;

void load_latent(TensorLoader& t, std::int64_t layer, AttentionWeights& out) {
  const Config& c = t.config;
  const std::int64_t q_rows = c.num_attention_heads * c.head_dim;
  if (c.q_lora_rank > 0) {
    out.q_a = t.linear(Role::attn_q_a, layer, c.q_lora_rank, c.hidden_size, c.qkv_bias);
    out.q_a_norm = t.vector(t.name(Role::attn_q_a_norm, layer), c.q_lora_rank);
    out.q_b = t.linear(Role::attn_q_b, layer, q_rows, c.q_lora_rank);
  } else {
    out.q = t.linear(Role::attn_q, layer, q_rows, c.hidden_size);
  }
  out.kv_a = t.linear(Role::attn_kv_a, layer, c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size, c.qkv_bias);
  out.kv_a_norm = t.vector(t.name(Role::attn_kv_a_norm, layer), c.kv_lora_rank);

  const nn::LatentShape shape{c.num_attention_heads, c.kv_lora_rank, c.qk_nope_head_dim, c.qk_rope_head_dim, c.v_head_dim};
  if (const io::TensorInfo* k_b = t.find(t.name(Role::attn_k_b, layer))) {
    // GGUF's split form, [heads, kv_lora_rank, nope] and [heads, value, kv_lora_rank].
    t.expect_shape(*k_b, {c.num_attention_heads, c.kv_lora_rank, c.qk_nope_head_dim});
    const io::TensorInfo& v_b = t.require(t.name(Role::attn_v_b, layer));
    t.expect_shape(v_b, {c.num_attention_heads, c.v_head_dim, c.kv_lora_rank});
    const WeightView keys = t.view(*k_b, c.num_attention_heads * c.kv_lora_rank, c.qk_nope_head_dim);
    const WeightView values = t.view(v_b, c.num_attention_heads * c.v_head_dim, c.kv_lora_rank);
    out.heads = nn::LatentHeads::split(shape, t.place(*k_b, keys, c.kv_lora_rank), t.place(v_b, values, c.v_head_dim));
  } else {
    const std::int64_t rows = c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim);
    // Keys' rows are read the other way round as well, which takes them as stored.
    out.heads =
        nn::LatentHeads::joined(shape, t.placed_matrix(t.name(Role::attn_kv_b, layer), rows, c.kv_lora_rank, Order::as_stored));
  }
}

void load_attention(TensorLoader& t, std::int64_t layer, AttentionWeights& out) {
  const Config& c = t.config;
  if (c.attention == Attention::latent) {
    load_latent(t, layer, out);
  } else {
    load_grouped_query(t, layer, out);
  }
  out.output = t.linear(Role::attn_output, layer, c.hidden_size, c.num_attention_heads * c.v_head_dim, c.output_bias);
}

void report(const TensorLoader& t, double done, std::string_view what) {
  if (t.options.progress && !t.options.progress(done, what)) {
    fail(Status::cancelled, "{}: loading was cancelled", t.checkpoint.path);
  }
}

// Every value of every tensor that could be a weight is finite.
void verify_all(const TensorLoader& t) {
  constexpr std::size_t kValues = 1 << 14;
  std::vector<float> values(kValues);
  const std::span<const io::TensorInfo> all = t.checkpoint.tensors->tensors();
  for (std::size_t n = 0; n < all.size(); ++n) {
    const io::TensorInfo& tensor = all[n];
    report(t, 0.5 * double(n) / double(all.size()), "verifying");
    if (!quant::find_format(tensor.format)) continue;
    const StorageLayout& layout = storage_layout(tensor.format);
    const std::span<const std::byte> bytes = t.read(tensor);
    const std::size_t blocks = bytes.size() / layout.block_bytes, step = kValues / layout.block_values;
    for (std::size_t b = 0; b < blocks; b += step) {
      const std::size_t count = std::min(step, blocks - b);
      const std::span<float> out(values.data(), count * layout.block_values);
      quant::decode(tensor.format, bytes.subspan(b * layout.block_bytes, count * layout.block_bytes), out);
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (!std::isfinite(out[i])) {
          fail(Status::corrupt_file, "{}: value {} is {}", t.describe(tensor), b * layout.block_values + i, out[i]);
        }
      }
    }
  }
}

Weights load_all(TensorLoader& t) {
  const Config& c = t.config;
  Weights w;
  const double verified = t.options.verify ? 0.5 : 0.0;  // the share of the work that verifying is
  if (t.options.verify && !t.dry()) verify_all(t);
  WeightView embedding = t.matrix(t.name(Role::token_embd, 0), c.vocab_size, c.hidden_size);
  w.output_norm = t.vector(t.name(Role::output_norm, 0), c.hidden_size);
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    report(t, verified + (1.0 - verified) * double(layer) / double(c.num_hidden_layers), "loading layers");
    LayerWeights l;
    l.attn_norm = t.vector(t.name(Role::attn_norm, layer), c.hidden_size);
    l.ffn_norm = t.vector(t.name(Role::ffn_norm, layer), c.hidden_size);
    load_attention(t, layer, l.attention);
    if (c.is_moe(layer)) {
      load_experts(t, layer, l.experts);
    } else {
      l.mlp = t.mlp(Role::ffn_gate, Role::ffn_up, Role::ffn_down, layer, c.intermediate_size);
    }
    if (!t.dry()) w.layers.push_back(std::move(l));
  }
  // A tied model may still carry a head of its own; an untied one without it is broken.
  const bool has_head = t.find(t.name(Role::output, 0)) != nullptr;
  if (has_head || !c.tie_word_embeddings) {
    w.output = t.linear(Role::output, 0, c.vocab_size, c.hidden_size);
  } else {
    embedding = t.place(t.require(t.name(Role::token_embd, 0)), embedding, c.vocab_size);
    w.output = t.linear(embedding);
  }
  w.token_embd = embedding;
  report(t, 1.0, "loading layers");
  w.owned = t.take_owned();
  return w;
}

}  // namespace

Weights load_weights(io::Checkpoint& checkpoint, const Family& family, const Config& config, const Backends& backends,
                     Allocator& allocator, const LoadOptions& options, std::vector<Placement>& placements) {
  TensorLoader loader(checkpoint, family, config, backends, &allocator, options);
  if (options.place) {
    LoadOptions unreported = options;
    unreported.progress = nullptr;
    loader.reserve(check_tensors(checkpoint, family, config, backends, unreported).placed);
  }
  Weights weights = load_all(loader);
  placements = loader.take_placements();
  weights.stored = std::move(checkpoint.tensors);
  return weights;
}

LoadBytes check_tensors(const io::Checkpoint& checkpoint, const Family& family, const Config& config, const Backends& backends,
                        const LoadOptions& options) {
  TensorLoader loader(checkpoint, family, config, backends, nullptr, options);
  load_all(loader);
  return loader.bytes();
}

}  // namespace fathom::model
