// Normal weights from a fixed seed, scaled so that activations stay near one and logits near two.
#include "conformance/wide_model.hpp"

#include <cmath>
#include <concepts>
#include <cstdint>
#include <random>
#include <vector>

#include "quant/formats.hpp"

namespace fathom::test {
namespace {

constexpr std::int64_t kLayers = 2, kHidden = 256, kHeads = 4, kDense = 512, kExpert = 256, kExperts = 4, kUsed = 2;
constexpr std::int64_t kRank = 256, kNope = 64, kRope = 32, kValue = 64;  // latent attention
constexpr std::int64_t kKeyHeads = 2, kHead = 64;                         // grouped-query attention

class Builder {
 public:
  Builder(const FormatChoice& format_of, bool dequantised, WideShape shape)
      : format_of_(format_of), dequantised_(dequantised), shape_(shape) {}

  GgufWriter run() {
    metadata();
    matrix("token_embd.weight", {kWideVocabulary, kHidden}, 1.0);
    norm("output_norm.weight", kHidden);
    matrix("output.weight", {kWideVocabulary, kHidden}, 2.0 / std::sqrt(double(kHidden)));
    for (std::int64_t layer = 0; layer < kLayers; ++layer) block("blk." + std::to_string(layer) + ".", layer);
    return std::move(out_);
  }

 private:
  bool latent() const { return shape_ == WideShape::deepseek; }
  bool is_mixture(std::int64_t layer) const {
    return shape_ == WideShape::mixtral || shape_ == WideShape::separate || (latent() && layer > 0);
  }

  std::string key(std::string_view name) const { return (latent() ? "deepseek2." : "llama.") + std::string(name); }
  void put(std::string_view name, std::integral auto value) { out_.add(key(name), std::uint32_t(value)); }
  void put(std::string_view name, float value) { out_.add(key(name), value); }

  void metadata() {
    out_.add("general.architecture", std::string_view(latent() ? "deepseek2" : "llama"));
    put("vocab_size", kWideVocabulary);
    put("context_length", 1024);
    put("embedding_length", kHidden);
    put("block_count", kLayers);
    put("feed_forward_length", kDense);
    put("attention.head_count", kHeads);
    put("attention.head_count_kv", latent() ? kHeads : kKeyHeads);
    put("attention.layer_norm_rms_epsilon", 1e-6f);
    if (latent()) put("attention.kv_lora_rank", kRank);
    put("attention.key_length", latent() ? kNope + kRope : kHead);
    put("attention.value_length", latent() ? kValue : kHead);
    put("rope.freq_base", 10000.0f);
    put("rope.dimension_count", latent() ? kRope : kHead);
    if (shape_ == WideShape::llama) return;
    put("expert_count", kExperts);
    put("expert_used_count", kUsed);
    put("expert_feed_forward_length", kExpert);
    if (!latent()) return;
    put("leading_dense_block_count", 1);
    put("expert_shared_count", 1);
    put("expert_weights_scale", 2.0f);
    put("expert_gating_func", 1);
    out_.add(key("expert_weights_norm"), true);
  }

  void block(const std::string& prefix, std::int64_t layer) {
    norm(prefix + "attn_norm.weight", kHidden);
    if (latent()) {
      matrix(prefix + "attn_q.weight", {kHeads * (kNope + kRope), kHidden});
      matrix(prefix + "attn_kv_a_mqa.weight", {kRank + kRope, kHidden});
      norm(prefix + "attn_kv_a_norm.weight", kRank);
      matrix(prefix + "attn_kv_b.weight", {kHeads * (kNope + kValue), kRank});
      matrix(prefix + "attn_output.weight", {kHidden, kHeads * kValue});
    } else {
      matrix(prefix + "attn_q.weight", {kHeads * kHead, kHidden});
      matrix(prefix + "attn_k.weight", {kKeyHeads * kHead, kHidden});
      matrix(prefix + "attn_v.weight", {kKeyHeads * kHead, kHidden});
      matrix(prefix + "attn_output.weight", {kHidden, kHeads * kHead});
    }
    norm(prefix + "ffn_norm.weight", kHidden);
    if (!is_mixture(layer)) return feed_forward(prefix, "", kDense, {});
    store(prefix + "ffn_gate_inp.weight", StorageFormat::f32, {kExperts, kHidden}, draw(kExperts * kHidden, 0, 0.2));
    if (shape_ == WideShape::separate) {
      for (std::int64_t e = 0; e < kExperts; ++e) feed_forward(prefix, "." + std::to_string(e), kExpert, {});
      return;
    }
    feed_forward(prefix, "_exps", kExpert, {kExperts});
    if (latent()) feed_forward(prefix, "_shexp", kExpert, {});
  }

  void feed_forward(const std::string& prefix, const std::string& suffix, std::int64_t width,
                    const std::vector<std::int64_t>& planes) {
    auto shape = [&](std::int64_t rows, std::int64_t cols) {
      std::vector<std::int64_t> dims = planes;
      dims.insert(dims.end(), {rows, cols});
      return dims;
    };
    matrix(prefix + "ffn_gate" + suffix + ".weight", shape(width, kHidden));
    matrix(prefix + "ffn_up" + suffix + ".weight", shape(width, kHidden));
    matrix(prefix + "ffn_down" + suffix + ".weight", shape(kHidden, width));
  }

  std::vector<float> draw(std::int64_t count, double mean, double deviation) {
    std::normal_distribution<double> normal(mean, deviation);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = float(normal(random_));
    return values;
  }

  void norm(const std::string& name, std::int64_t size) { store(name, StorageFormat::f32, {size}, draw(size, 1, 0.1)); }

  void matrix(const std::string& name, const std::vector<std::int64_t>& shape, double deviation = 0) {
    std::int64_t count = 1;
    for (const std::int64_t dim : shape) count *= dim;
    std::vector<float> values = draw(count, 0, deviation > 0 ? deviation : 1 / std::sqrt(double(shape.back())));
    StorageFormat format = format_of_(name);
    if (shape.back() % storage_layout(format).block_values != 0) format = StorageFormat::q8_0;
    if (dequantised_) {
      quant::decode(format, encode(format, values), values);
      format = StorageFormat::f32;
    }
    store(name, format, shape, values);
  }

  static std::vector<std::byte> encode(StorageFormat format, const std::vector<float>& values) {
    const StorageLayout& layout = storage_layout(format);
    std::vector<std::byte> blocks(values.size() / layout.block_values * layout.block_bytes);
    quant::encode(format, values, blocks);
    return blocks;
  }

  void store(const std::string& name, StorageFormat format, const std::vector<std::int64_t>& shape,
             const std::vector<float>& values) {
    const std::vector<std::byte> blocks = encode(format, values);
    out_.add_tensor(name, format, shape, std::span<const std::byte>(blocks));
  }

  FormatChoice format_of_;
  bool dequantised_;
  WideShape shape_;
  std::mt19937_64 random_{20261123};
  GgufWriter out_;
};

}  // namespace

GgufWriter wide_model(const FormatChoice& format_of, bool dequantised, WideShape shape) {
  return Builder(format_of, dequantised, shape).run();
}

}  // namespace fathom::test
