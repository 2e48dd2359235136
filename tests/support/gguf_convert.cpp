// One conversion: metadata, then tensors layer by layer, each reordered the way its architecture's files have it. Long because
// it spells what the files of ten families look like, all in one place to be held against the specification.
#include "support/gguf_convert.hpp"

#include <cmath>
#include <cstring>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "base/float_types.hpp"
#include "io/open.hpp"
#include "platform/os_file_system.hpp"
#include "quant/formats.hpp"

namespace fathom::test {
namespace {

// Values of a tensor, outermost dimension first.
struct Dense {
  std::vector<std::int64_t> shape;
  std::vector<float> values;

  std::int64_t cols() const { return shape.back(); }
  std::int64_t rows() const { return std::int64_t(values.size()) / cols(); }
  float* row(std::int64_t r) { return values.data() + r * cols(); }
  const float* row(std::int64_t r) const { return values.data() + r * cols(); }
};

// Rows [first, first + count) of a matrix.
Dense row_range(const Dense& from, std::int64_t first, std::int64_t count) {
  return {{count, from.cols()}, {from.row(first), from.row(first + count)}};
}

// Half-split rotary pairs (i, i + d/2) become neighbours, for `rows` rows from `first` on.
void interleave_pairs(Dense& matrix, std::int64_t first, std::int64_t rows) {
  const Dense old = row_range(matrix, first, rows);
  const std::int64_t half = rows / 2;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(old.row(i), old.cols(), matrix.row(first + (i < half ? 2 * i : 2 * (i - half) + 1)));
  }
}

void interleave_heads(Dense& matrix, std::int64_t heads) {
  const std::int64_t head_rows = matrix.shape[0] / heads;
  for (std::int64_t head = 0; head < heads; ++head) interleave_pairs(matrix, head * head_rows, head_rows);
}

// Each plane's rows and columns exchanged.
Dense transpose_planes(const Dense& from) {
  const std::int64_t planes = from.shape[0], rows = from.shape[1], cols = from.shape[2];
  Dense to{{planes, cols, rows}, std::vector<float>(from.values.size())};
  for (std::int64_t p = 0; p < planes; ++p) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) to.values[std::size_t((p * cols + c) * rows + r)] = from.row(p * rows + r)[c];
    }
  }
  return to;
}

// Every second row, from row `first` (0: gate, 1: up of a fused gate-up matrix), within each plane.
Dense every_second_row(const Dense& from, std::int64_t first) {
  Dense to;
  to.shape = from.shape;
  to.shape[to.shape.size() - 2] /= 2;
  for (std::int64_t r = first; r < from.rows(); r += 2)
    to.values.insert(to.values.end(), from.row(r), from.row(r) + from.cols());
  return to;
}

// One MXFP4 block: safetensors puts elements 2b and 2b+1 into byte b, GGUF j and j+16 into byte j, after the scale.
void repack_mxfp4(const std::uint8_t* neighbours, std::uint8_t scale, std::uint8_t* block) {
  auto code = [&](int element) { return (neighbours[element / 2] >> (4 * (element & 1))) & 15; };
  block[0] = scale;
  for (int j = 0; j < 16; ++j) block[1 + j] = std::uint8_t(code(j) | code(j + 16) << 4);
}

class Conversion {
 public:
  Conversion(const std::string& folder, const GgufConversion& options)
      : checkpoint_(io::open_checkpoint(os_file_system(), folder)), options_(options) {
    type_ = text("model_type");
    latent_ = config().has("kv_lora_rank");
    arch_ = architecture();
  }

  GgufWriter run() {
    metadata();
    matrix("token_embd.weight", read("model.embed_tokens.weight"));
    vector("output_norm.weight", "model.norm.weight");
    if (!flag("tie_word_embeddings")) matrix("output.weight", read("lm_head.weight"));
    if (rope("rope_type") == "llama3") rope_factors();
    for (std::int64_t layer = 0; layer < integer("num_hidden_layers"); ++layer) block(layer);
    return std::move(out_);
  }

 private:
  // ---- configuration
  const io::Value& config() const { return checkpoint_.config; }
  std::string text(std::string_view key) const { return std::string(config()[key].as_string().value_or("")); }
  bool flag(std::string_view key) const { return config()[key].as_bool().value_or(false); }
  std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) const {
    return config()[key].as_int().value_or(otherwise);
  }
  const io::Value& rope_object() const {
    return config().has("rope_scaling") ? config()["rope_scaling"] : config()["rope_parameters"];
  }
  double rope_number(std::string_view key, double otherwise = 0) const {
    return rope_object()[key].as_double().value_or(otherwise);
  }
  std::string rope(std::string_view key) const {
    const io::Value& value = rope_object().has(key) ? rope_object()[key] : rope_object()["type"];
    return std::string(value.as_string().value_or(""));
  }
  double theta() const { return config()["rope_theta"].as_double().value_or(rope_number("rope_theta", 10000)); }
  std::int64_t heads() const { return integer("num_attention_heads"); }
  std::int64_t kv_heads() const { return integer("num_key_value_heads", heads()); }
  std::int64_t head_dim() const { return integer("head_dim", integer("hidden_size") / heads()); }
  std::int64_t nope() const { return integer("qk_nope_head_dim"); }
  std::int64_t rope_dim() const { return latent_ ? integer("qk_rope_head_dim") : head_dim(); }
  std::int64_t experts() const { return integer("n_routed_experts", integer("num_experts", integer("num_local_experts"))); }

  std::string architecture() const {
    if (type_ == "llama" || type_ == "mistral" || type_ == "mixtral") return "llama";
    if (type_ == "deepseek_v2" || type_ == "deepseek_v3") return "deepseek2";
    if (type_ == "qwen3_moe") return "qwen3moe";
    if (type_ == "gpt_oss") return "gpt-oss";
    return type_;  // deepseek, qwen2, qwen3
  }

  // ---- metadata
  void put(std::string_view key, std::int64_t value) { out_.add(arch_ + "." + std::string(key), std::uint32_t(value)); }
  void put(std::string_view key, double value) { out_.add(arch_ + "." + std::string(key), float(value)); }
  void put(std::string_view key, bool value) { out_.add(arch_ + "." + std::string(key), value); }
  void put(std::string_view key, const char* value) { out_.add(arch_ + "." + std::string(key), std::string_view(value)); }

  void metadata() {
    out_.add("general.architecture", std::string_view(arch_));
    out_.add("general.name", std::string_view("tiny"));
    put("vocab_size", integer("vocab_size"));
    put("context_length", integer("max_position_embeddings"));
    put("embedding_length", integer("hidden_size"));
    put("block_count", integer("num_hidden_layers"));
    put("feed_forward_length", integer("intermediate_size"));
    put("attention.head_count", heads());
    put("attention.layer_norm_rms_epsilon", config()["rms_norm_eps"].as_double().value());
    put("rope.freq_base", theta());
    put("rope.dimension_count", rope_dim());
    if (latent_) {
      latent_metadata();
    } else {
      put("attention.head_count_kv", kv_heads());
      if (config().has("head_dim")) {
        put("attention.key_length", head_dim());
        put("attention.value_length", head_dim());
      }
    }
    const bool slides = type_ == "mistral" || type_ == "gpt_oss" || flag("use_sliding_window");
    if (slides && config()["sliding_window"].is_number()) put("attention.sliding_window", integer("sliding_window"));
    if (experts() > 0) expert_metadata();
    scaling_metadata();
  }

  void latent_metadata() {
    const std::int64_t rank = integer("kv_lora_rank"), v = integer("v_head_dim");
    if (config()["q_lora_rank"].is_number()) put("attention.q_lora_rank", integer("q_lora_rank"));
    put("attention.kv_lora_rank", rank);
    put("attention.head_count_kv", options_.split_latent ? std::int64_t(1) : heads());
    put("attention.key_length", rope_dim() + (options_.split_latent ? rank : nope()));
    put("attention.value_length", options_.split_latent ? rank : v);
    if (!options_.split_latent) return;
    put("attention.key_length_mla", nope() + rope_dim());
    put("attention.value_length_mla", v);
  }

  void expert_metadata() {
    put("expert_count", experts());
    put("expert_used_count", integer("num_experts_per_tok"));
    const std::int64_t width = integer("moe_intermediate_size", integer("intermediate_size"));
    if (type_ != "mixtral") put("expert_feed_forward_length", width);
    if (arch_ != "deepseek" && arch_ != "deepseek2") return;
    put("leading_dense_block_count", integer("first_k_dense_replace"));
    put("expert_shared_count", integer("n_shared_experts"));
    put("expert_weights_scale", config()["routed_scaling_factor"].as_double().value_or(1.0));
    if (arch_ == "deepseek") return;
    put("expert_weights_norm", flag("norm_topk_prob"));
    if (options_.gating_function) put("expert_gating_func", std::int64_t(text("scoring_func") == "sigmoid" ? 2 : 1));
    if (integer("n_group", 1) == 1) return;
    put("expert_group_count", integer("n_group"));
    put("expert_group_used_count", integer("topk_group"));
  }

  void scaling_metadata() {
    const std::string type = rope("rope_type");
    if (type != "linear" && type != "yarn") return;
    put("rope.scaling.type", type.c_str());
    put("rope.scaling.factor", rope_number("factor"));
    if (type == "linear") return;
    put("rope.scaling.original_context_length", std::int64_t(rope_number("original_max_position_embeddings")));
    if (latent_) put("rope.scaling.yarn_log_multiplier", 0.1 * rope_number("mscale_all_dim"));
    if (type_ != "gpt_oss") return;
    put("rope.scaling.yarn_beta_fast", rope_number("beta_fast"));
    put("rope.scaling.yarn_beta_slow", rope_number("beta_slow"));
  }

  // ---- reading and writing tensors
  bool has(const std::string& name) const { return checkpoint_.tensors->find(name) != nullptr; }

  const io::TensorInfo& info(const std::string& name) const {
    const io::TensorInfo* tensor = checkpoint_.tensors->find(name);
    if (tensor == nullptr) throw std::runtime_error("no tensor " + name);
    return *tensor;
  }

  Dense read(const std::string& name) const {
    const io::TensorInfo& tensor = info(name);
    Dense dense{tensor.shape, std::vector<float>(std::size_t(tensor.values()))};
    quant::decode(tensor.format, checkpoint_.tensors->bytes(tensor), dense.values);
    if (tensor.format == StorageFormat::f8_e4m3) multiply_factors(dense, read(name + "_scale_inv"));
    return dense;
  }

  static void multiply_factors(Dense& dense, const Dense& factors) {
    for (std::int64_t r = 0; r < dense.rows(); ++r) {
      for (std::int64_t c = 0; c < dense.cols(); ++c) dense.row(r)[c] *= factors.row(r / 128)[c / 128];
    }
  }

  void store(const std::string& name, StorageFormat format, const Dense& dense) {
    const StorageLayout& layout = storage_layout(format);
    std::vector<std::byte> bytes(dense.values.size() / layout.block_values * layout.block_bytes);
    quant::encode(format, dense.values, bytes);
    out_.add_tensor(name, format, dense.shape, std::span<const std::byte>(bytes));
  }

  void matrix(const std::string& name, const Dense& dense) {
    const bool other = options_.ups && name.find("ffn_up") != std::string::npos;
    const StorageFormat format = other ? *options_.ups : options_.matrices;
    const bool fits = dense.cols() % storage_layout(format).block_values == 0;
    store(name, fits ? format : StorageFormat::f16, dense);
  }
  void matrix(const std::string& to, const std::string& from) { matrix(to, read(from)); }
  void vector(const std::string& to, const std::string& from) { store(to, StorageFormat::f32, read(from)); }
  void vector_if_there(const std::string& to, const std::string& from) {
    if (has(from)) vector(to, from);
  }

  // ---- tensors of the file
  // GGUF has Llama 3's scaling as divisors of the plain frequencies.
  void rope_factors() {
    const double factor = rope_number("factor"), low = rope_number("low_freq_factor"), high = rope_number("high_freq_factor");
    const double original = rope_number("original_max_position_embeddings");
    Dense divisors{{rope_dim() / 2}, {}};
    for (std::int64_t i = 0; i < rope_dim() / 2; ++i) {
      const double wavelength = 2 * std::numbers::pi * std::pow(theta(), 2.0 * double(i) / double(rope_dim()));
      double divisor = factor;
      if (wavelength < original / high) {
        divisor = 1;
      } else if (wavelength <= original / low) {
        const double smooth = (original / wavelength - low) / (high - low);
        divisor = 1 / ((1 - smooth) / factor + smooth);
      }
      divisors.values.push_back(float(divisor));
    }
    store("rope_freqs.weight", StorageFormat::f32, divisors);
  }

  void block(std::int64_t layer) {
    const std::string to = "blk." + std::to_string(layer) + ".", from = "model.layers." + std::to_string(layer) + ".";
    vector(to + "attn_norm.weight", from + "input_layernorm.weight");
    if (latent_) {
      latent_attention(to, from + "self_attn.");
    } else {
      attention(to, from + "self_attn.");
    }
    const char* norm = type_ == "gpt_oss" ? "post_attention_norm.weight" : "ffn_norm.weight";
    vector(to + norm, from + "post_attention_layernorm.weight");
    feed_forward(to, from);
  }

  void attention(const std::string& to, const std::string& from) {
    for (const auto& [gguf, hf, count] : {std::tuple{"attn_q", "q_proj", heads()}, {"attn_k", "k_proj", kv_heads()}}) {
      Dense weight = read(from + hf + ".weight");
      // These architectures' files rotate neighbours, Hugging Face's rotate halves: the rows are exchanged instead.
      if (arch_ == "llama" || arch_ == "deepseek") interleave_heads(weight, count);
      matrix(to + gguf + ".weight", weight);
      vector_if_there(to + gguf + ".bias", from + hf + ".bias");
    }
    for (const auto& [gguf, hf] : {std::pair{"attn_v", "v_proj"}, {"attn_output", "o_proj"}}) {
      matrix(to + gguf + ".weight", from + hf + ".weight");
      vector_if_there(to + gguf + ".bias", from + hf + ".bias");
    }
    vector_if_there(to + "attn_q_norm.weight", from + "q_norm.weight");
    vector_if_there(to + "attn_k_norm.weight", from + "k_norm.weight");
    vector_if_there(to + "attn_sinks.weight", from + "sinks");
  }

  void latent_attention(const std::string& to, const std::string& from) {
    const bool low_rank = has(from + "q_a_proj.weight");
    const bool halves = config().has("rope_interleave") && !flag("rope_interleave");
    const std::int64_t rank = integer("kv_lora_rank"), query = nope() + rope_dim();
    if (low_rank) {
      matrix(to + "attn_q_a.weight", from + "q_a_proj.weight");
      vector(to + "attn_q_a_norm.weight", from + "q_a_layernorm.weight");
    }
    Dense q = read(from + (low_rank ? "q_b_proj.weight" : "q_proj.weight"));
    Dense kv_a = read(from + "kv_a_proj_with_mqa.weight");
    if (halves) {
      for (std::int64_t head = 0; head < heads(); ++head) interleave_pairs(q, head * query + nope(), rope_dim());
      interleave_pairs(kv_a, rank, rope_dim());
    }
    matrix(to + (low_rank ? "attn_q_b.weight" : "attn_q.weight"), q);
    matrix(to + "attn_kv_a_mqa.weight", kv_a);
    vector(to + "attn_kv_a_norm.weight", from + "kv_a_layernorm.weight");
    if (options_.split_latent) {
      split_up_projection(to, read(from + "kv_b_proj.weight"));
    } else {
      matrix(to + "attn_kv_b.weight", from + "kv_b_proj.weight");
    }
    matrix(to + "attn_output.weight", from + "o_proj.weight");
  }

  // Rows of a head: the keys' part, then the values'. The keys' part is stored transposed, ready for the absorbed form.
  void split_up_projection(const std::string& to, const Dense& kv_b) {
    const std::int64_t v = integer("v_head_dim"), rank = kv_b.cols();
    Dense keys{{heads(), nope(), rank}, {}}, values{{heads(), v, rank}, {}};
    for (std::int64_t head = 0; head < heads(); ++head) {
      const std::int64_t first = head * (nope() + v);
      keys.values.insert(keys.values.end(), kv_b.row(first), kv_b.row(first + nope()));
      values.values.insert(values.values.end(), kv_b.row(first + nope()), kv_b.row(first + nope() + v));
    }
    matrix(to + "attn_k_b.weight", transpose_planes(keys));
    matrix(to + "attn_v_b.weight", values);
  }

  void feed_forward(const std::string& to, const std::string& from) {
    if (has(from + "mlp.experts.gate_up_proj_bias")) return fused_experts(to, from + "mlp.");
    if (has(from + "block_sparse_moe.gate.weight")) return stacked_experts(to, from + "block_sparse_moe.", "w1", "w2", "w3");
    if (has(from + "mlp.gate.weight")) return stacked_experts(to, from + "mlp.", "gate_proj", "down_proj", "up_proj");
    for (const char* part : {"gate", "down", "up"}) {
      matrix(to + "ffn_" + part + ".weight", from + "mlp." + part + "_proj.weight");
    }
  }

  void stacked_experts(const std::string& to, const std::string& from, const char* gate, const char* down, const char* up) {
    vector(to + "ffn_gate_inp.weight", from + "gate.weight");
    vector_if_there(to + "exp_probs_b.bias", from + "gate.e_score_correction_bias");
    for (const auto& [part, hf] : {std::pair{"gate", gate}, {"down", down}, {"up", up}}) {
      Dense stack;
      for (std::int64_t expert = 0; expert < experts(); ++expert) {
        const Dense one = read(from + "experts." + std::to_string(expert) + "." + hf + ".weight");
        stack.shape = {experts(), one.shape[0], one.shape[1]};
        stack.values.insert(stack.values.end(), one.values.begin(), one.values.end());
      }
      matrix(to + "ffn_" + part + "_exps.weight", stack);
      const std::string shared = from + "shared_experts." + part + "_proj.weight";
      if (has(shared)) matrix(to + "ffn_" + part + "_shexp.weight", shared);
    }
  }

  // gpt-oss: gate and up alternate in one matrix; dequantised ones lie [in, out].
  void fused_experts(const std::string& to, const std::string& from) {
    vector(to + "ffn_gate_inp.weight", from + "router.weight");
    vector(to + "ffn_gate_inp.bias", from + "router.bias");
    Dense bias = read(from + "experts.gate_up_proj_bias");
    bias.shape.push_back(1);  // a row for each output, as the matrix has
    for (const auto& [part, first] : {std::pair{"gate", 0}, {"up", 1}}) {
      Dense one = every_second_row(bias, first);
      one.shape.pop_back();
      store(to + "ffn_" + part + "_exps.bias", StorageFormat::f32, one);
    }
    vector(to + "ffn_down_exps.bias", from + "experts.down_proj_bias");
    if (has(from + "experts.down_proj_blocks") && options_.keep_mxfp4) {
      mxfp4_experts(to + "ffn_down_exps.weight", from + "experts.down_proj", 0, 1);
      mxfp4_experts(to + "ffn_gate_exps.weight", from + "experts.gate_up_proj", 0, 2);
      mxfp4_experts(to + "ffn_up_exps.weight", from + "experts.gate_up_proj", 1, 2);
      return;
    }
    const Dense gate_up = fused_matrix(from + "experts.gate_up_proj");
    matrix(to + "ffn_gate_exps.weight", every_second_row(gate_up, 0));
    matrix(to + "ffn_up_exps.weight", every_second_row(gate_up, 1));
    matrix(to + "ffn_down_exps.weight", fused_matrix(from + "experts.down_proj"));
  }

  // [experts, out, in], from either form.
  Dense fused_matrix(const std::string& name) const {
    if (has(name)) return transpose_planes(read(name));
    const std::vector<std::byte> blocks = repacked(name, 0, 1);
    const std::vector<std::int64_t>& grid = info(name + "_blocks").shape;
    Dense dense{{grid[0], grid[1], grid[2] * 32}, std::vector<float>(blocks.size() / 17 * 32)};
    quant::decode(StorageFormat::mxfp4, blocks, dense.values);
    return dense;
  }

  // Rows first, first + step, ... of each expert as GGUF's blocks.
  std::vector<std::byte> repacked(const std::string& name, std::int64_t first, std::int64_t step) const {
    const std::vector<std::int64_t>& grid = info(name + "_blocks").shape;  // [experts, out, in / 32, 16]
    const auto* codes = reinterpret_cast<const std::uint8_t*>(checkpoint_.tensors->bytes(info(name + "_blocks")).data());
    const auto* scales = reinterpret_cast<const std::uint8_t*>(checkpoint_.tensors->bytes(info(name + "_scales")).data());
    std::vector<std::byte> out;
    for (std::int64_t row = first; row < grid[0] * grid[1]; row += step) {
      for (std::int64_t block = row * grid[2]; block < (row + 1) * grid[2]; ++block) {
        std::uint8_t packed[17];
        repack_mxfp4(codes + block * 16, scales[block], packed);
        const auto* bytes = reinterpret_cast<const std::byte*>(packed);
        out.insert(out.end(), bytes, bytes + 17);
      }
    }
    return out;
  }

  void mxfp4_experts(const std::string& to, const std::string& from, std::int64_t first, std::int64_t step) {
    const std::vector<std::int64_t>& grid = info(from + "_blocks").shape;
    const std::vector<std::byte> blocks = repacked(from, first, step);
    out_.add_tensor(to, StorageFormat::mxfp4, {grid[0], grid[1] / step, grid[2] * 32}, std::span<const std::byte>(blocks));
  }

  io::Checkpoint checkpoint_;
  GgufConversion options_;
  std::string type_, arch_;
  bool latent_ = false;
  GgufWriter out_;
};

}  // namespace

// deepseek-v3-mscale puts a factor on cosine and sine (GGUF's keys for this architecture cancel it) and has biases in
// latent attention (GGUF has no names for them).
bool has_gguf_form(const std::string& model_name) { return model_name != "deepseek-v3-mscale"; }

GgufWriter convert_to_gguf(const std::string& model_folder, const GgufConversion& conversion) {
  return Conversion(model_folder, conversion).run();
}

}  // namespace fathom::test
