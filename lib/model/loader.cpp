#include "model/loader.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "quant/formats.hpp"

namespace fathom::model {
namespace {

std::string shape_text(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// Finds tensors and turns them into views. With `dry`, nothing is read or allocated: only names, shapes and formats are
// checked, and the views stay empty.
class Loader {
 public:
  Loader(const io::Checkpoint& checkpoint, const Family& family, const Config& config, const Backends& backends,
         Allocator* allocator, const LoadOptions& options)
      : checkpoint_(checkpoint),
        tensors_(*checkpoint.tensors),
        family_(family),
        config_(config),
        backends_(backends),
        allocator_(allocator),
        options_(options) {}

  Weights load();

 private:
  bool dry() const { return allocator_ == nullptr; }
  std::string name(Role role, std::int64_t layer, std::int64_t expert = 0) const {
    return tensor_name(family_, checkpoint_.container, role, layer, expert);
  }
  const io::TensorInfo* find(const std::string& tensor) const { return tensor.empty() ? nullptr : tensors_.find(tensor); }
  const io::TensorInfo& require(const std::string& tensor) const;
  void expect_shape(const io::TensorInfo& tensor, std::initializer_list<std::int64_t> shape) const;

  std::span<const std::byte> read(const io::TensorInfo& tensor) const;
  Buffer& own(std::size_t bytes);

  // Vectors, as F32. A missing optional one gives null.
  const float* vector(const std::string& tensor, std::int64_t size);
  const float* optional_vector(const std::string& tensor, std::int64_t size);
  // Part `index` of a [parts, size] tensor, every `step`-th value from `first`.
  const float* stacked_vector(const std::string& tensor, std::int64_t parts, std::int64_t index, std::int64_t width,
                              std::int64_t first, std::int64_t step, std::int64_t size);

  WeightView view(const io::TensorInfo& tensor, std::int64_t rows, std::int64_t cols) const;
  void attach_factors(const io::TensorInfo& tensor, WeightView& view) const;
  WeightView matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols) const;
  nn::Linear linear(const WeightView& weights, const float* bias = nullptr, bool few_only = false);
  nn::Linear linear(Role role, std::int64_t layer, std::int64_t rows, std::int64_t cols, bool bias = false);
  GatedMlp mlp(Role gate, Role up, Role down, std::int64_t layer, std::int64_t width);

  void load_attention(std::int64_t layer, AttentionWeights& out);
  void load_grouped_query(std::int64_t layer, AttentionWeights& out);
  void load_latent(std::int64_t layer, AttentionWeights& out);
  void load_experts(std::int64_t layer, ExpertWeights& out);
  void load_experts_one_by_one(std::int64_t layer, ExpertStore& out);
  void load_experts_stacked(std::int64_t layer, ExpertStore& out);
  void load_experts_fused(std::int64_t layer, ExpertStore& out);
  void load_experts_gpt_oss(std::int64_t layer, ExpertStore& out);
  WeightView transposed_copy(const io::TensorInfo& tensor, std::int64_t expert, std::int64_t rows, std::int64_t cols,
                             std::int64_t first, std::int64_t step);

  void report(double done, std::string_view what) const;
  void verify_all() const;

  const io::Checkpoint& checkpoint_;
  const io::TensorSource& tensors_;
  const Family& family_;
  const Config& config_;
  const Backends& backends_;
  Allocator* allocator_;
  const LoadOptions& options_;
  std::vector<Buffer> owned_;
};

// ---------------------------------------------------------------- tensors

const io::TensorInfo& Loader::require(const std::string& tensor) const {
  const io::TensorInfo* found = find(tensor);
  if (!found) {
    fail(Status::corrupt_file, "{}: tensor '{}' is missing; a {} model of {} layers needs it", checkpoint_.path, tensor,
         config_.family, config_.num_hidden_layers);
  }
  return *found;
}

void Loader::expect_shape(const io::TensorInfo& tensor, std::initializer_list<std::int64_t> shape) const {
  if (std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end())) return;
  fail(Status::corrupt_file, "{} has shape {}, expected {} by the configuration", tensors_.describe(tensor),
       shape_text(tensor.shape), shape_text({shape.begin(), shape.size()}));
}

std::span<const std::byte> Loader::read(const io::TensorInfo& tensor) const { return tensors_.bytes(tensor); }

Buffer& Loader::own(std::size_t bytes) { return owned_.emplace_back(*allocator_, bytes, MemoryPurpose::weights); }

const float* Loader::vector(const std::string& tensor, std::int64_t size) {
  const io::TensorInfo& info = require(tensor);
  expect_shape(info, {size});
  if (!quant::find_format(info.format)) {
    fail(Status::unsupported, "{} is stored as {}, which this version does not read", tensors_.describe(info), info.type_name);
  }
  if (dry()) return nullptr;
  Buffer& out = own(std::size_t(size) * sizeof(float));
  quant::decode(info.format, read(info), {out.as<float>(), std::size_t(size)});
  return out.as<float>();
}

const float* Loader::optional_vector(const std::string& tensor, std::int64_t size) {
  return find(tensor) ? vector(tensor, size) : nullptr;
}

const float* Loader::stacked_vector(const std::string& tensor, std::int64_t parts, std::int64_t index, std::int64_t width,
                                    std::int64_t first, std::int64_t step, std::int64_t size) {
  const io::TensorInfo& info = require(tensor);
  expect_shape(info, {parts, width});
  const StorageLayout& layout = storage_layout(info.format);
  if (layout.block_values != 1 || !quant::find_format(info.format)) {
    fail(Status::unsupported, "{} is stored as {}, expected F32, F16 or BF16", tensors_.describe(info), info.type_name);
  }
  if (dry()) return nullptr;
  Buffer& out = own(std::size_t(size) * sizeof(float));
  const std::span<const std::byte> bytes = read(info);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::size_t at = std::size_t(index * width + first + i * step) * layout.block_bytes;
    quant::decode(info.format, bytes.subspan(at, layout.block_bytes), {out.as<float>() + i, 1});
  }
  return out.as<float>();
}

// ---------------------------------------------------------------- matrices

// The factors of an FP8 matrix: "X.weight_scale_inv" (DeepSeek-V3) or "X.scale" (V4), one for a tile of rows and columns.
void Loader::attach_factors(const io::TensorInfo& tensor, WeightView& view) const {
  if (view.format != StorageFormat::f8_e4m3) return;
  const io::TensorInfo* factors = find(tensor.name + "_scale_inv");
  if (!factors) {
    fail(Status::corrupt_file, "{} is F8_E4M3 without its factors '{}_scale_inv'", tensors_.describe(tensor), tensor.name);
  }
  const io::Value& block = checkpoint_.config["quantization_config"]["weight_block_size"];
  const auto block_side = [&](std::size_t i) {
    const auto side = block.array().size() == 2 ? block.array()[i].as_int() : std::optional<std::int64_t>(128);
    if (!side || *side < 1 || *side > 1 << 16) {
      fail(Status::corrupt_file, "{}/config.json: weight_block_size is not two sane integers", checkpoint_.path);
    }
    return *side;
  };
  const std::int64_t tile_rows = block_side(0), tile_cols = block_side(1);
  expect_shape(*factors, {(view.rows + tile_rows - 1) / tile_rows, (view.cols + tile_cols - 1) / tile_cols});
  if (factors->format != StorageFormat::f32 && factors->format != StorageFormat::f8_e8m0) {
    fail(Status::unsupported, "{} is stored as {}, expected F32 or F8_E8M0", tensors_.describe(*factors), factors->type_name);
  }
  view.stored.scale_is_e8m0 = factors->format == StorageFormat::f8_e8m0;
  view.stored.scale_stride = factors->shape[1];
  view.stored.scale_rows = std::int32_t(tile_rows);
  view.stored.scale_cols = std::int32_t(tile_cols);
  if (!dry()) view.stored.scales = read(*factors).data();
}

// The tensor's values as rows x cols, however many dimensions they are written in.
WeightView Loader::view(const io::TensorInfo& tensor, std::int64_t rows, std::int64_t cols) const {
  const StorageLayout& layout = storage_layout(tensor.format);
  // 4-bit values by themselves lack their factors; gpt-oss keeps both in a form of its own (load_experts_gpt_oss).
  if (!quant::find_format(tensor.format) || tensor.format == StorageFormat::f4_e2m1) {
    fail(Status::unsupported, "{} is stored as {}, which this version does not compute with", tensors_.describe(tensor),
         tensor.type_name);
  }
  if (cols % layout.block_values != 0) {
    fail(Status::corrupt_file, "{}: rows of {} values are not whole {} blocks of {}", tensors_.describe(tensor), cols,
         layout.name, layout.block_values);
  }
  WeightView view;
  view.format = tensor.format;
  view.rows = rows;
  view.cols = cols;
  view.stored.cols = cols;
  view.stored.row_bytes = cols / layout.block_values * layout.block_bytes;
  if (!dry()) view.stored.data = reinterpret_cast<const std::uint8_t*>(read(tensor).data());
  return view;
}

WeightView Loader::matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols) const {
  const io::TensorInfo& info = require(tensor);
  expect_shape(info, {rows, cols});
  WeightView weights = view(info, rows, cols);
  attach_factors(info, weights);
  return weights;
}

nn::Linear Loader::linear(const WeightView& weights, const float* bias, bool few_only) {
  if (dry()) return {};
  return nn::Linear(weights, bias, *backends_.few, few_only ? nullptr : backends_.many, onednn_min_rows(weights.format),
                    options_.max_rows, *allocator_);
}

nn::Linear Loader::linear(Role role, std::int64_t layer, std::int64_t rows, std::int64_t cols, bool bias) {
  const std::string weight = name(role, layer);
  const float* bias_vector = nullptr;
  const WeightView weights = matrix(weight, rows, cols);
  if (bias) bias_vector = vector(weight.substr(0, weight.rfind('.')) + ".bias", rows);
  return linear(weights, bias_vector, role == Role::router);
}

GatedMlp Loader::mlp(Role gate, Role up, Role down, std::int64_t layer, std::int64_t width) {
  return {linear(gate, layer, width, config_.hidden_size), linear(up, layer, width, config_.hidden_size),
          linear(down, layer, config_.hidden_size, width)};
}

// ---------------------------------------------------------------- attention

void Loader::load_attention(std::int64_t layer, AttentionWeights& out) {
  const Config& c = config_;
  if (c.attention == Attention::latent) {
    load_latent(layer, out);
  } else {
    load_grouped_query(layer, out);
  }
  out.output = linear(Role::attn_output, layer, c.hidden_size, c.num_attention_heads * c.v_head_dim, c.output_bias);
}

void Loader::load_grouped_query(std::int64_t layer, AttentionWeights& out) {
  const Config& c = config_;
  out.q = linear(Role::attn_q, layer, c.num_attention_heads * c.head_dim, c.hidden_size, c.qkv_bias);
  out.k = linear(Role::attn_k, layer, c.num_key_value_heads * c.head_dim, c.hidden_size, c.qkv_bias);
  out.v = linear(Role::attn_v, layer, c.num_key_value_heads * c.v_head_dim, c.hidden_size, c.qkv_bias);
  if (c.qk_norm) {
    out.q_norm = vector(name(Role::attn_q_norm, layer), c.head_dim);
    out.k_norm = vector(name(Role::attn_k_norm, layer), c.head_dim);
  }
  if (c.sinks) out.sinks = vector(name(Role::attn_sinks, layer), c.num_attention_heads);
}

void Loader::load_latent(std::int64_t layer, AttentionWeights& out) {
  const Config& c = config_;
  const std::int64_t q_rows = c.num_attention_heads * c.head_dim;
  if (c.q_lora_rank > 0) {
    out.q_a = linear(Role::attn_q_a, layer, c.q_lora_rank, c.hidden_size, c.qkv_bias);
    out.q_a_norm = vector(name(Role::attn_q_a_norm, layer), c.q_lora_rank);
    out.q_b = linear(Role::attn_q_b, layer, q_rows, c.q_lora_rank);
  } else {
    out.q = linear(Role::attn_q, layer, q_rows, c.hidden_size);
  }
  out.kv_a = linear(Role::attn_kv_a, layer, c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size, c.qkv_bias);
  out.kv_a_norm = vector(name(Role::attn_kv_a_norm, layer), c.kv_lora_rank);

  const nn::LatentShape shape{c.num_attention_heads, c.kv_lora_rank, c.qk_nope_head_dim, c.qk_rope_head_dim, c.v_head_dim};
  if (const io::TensorInfo* k_b = find(name(Role::attn_k_b, layer))) {
    // GGUF's split form, [heads, kv_lora_rank, nope] and [heads, value, kv_lora_rank].
    expect_shape(*k_b, {c.num_attention_heads, c.kv_lora_rank, c.qk_nope_head_dim});
    const io::TensorInfo& v_b = require(name(Role::attn_v_b, layer));
    expect_shape(v_b, {c.num_attention_heads, c.v_head_dim, c.kv_lora_rank});
    out.heads = nn::LatentHeads::split(shape, view(*k_b, c.num_attention_heads * c.kv_lora_rank, c.qk_nope_head_dim),
                                       view(v_b, c.num_attention_heads * c.v_head_dim, c.kv_lora_rank));
  } else {
    const std::int64_t rows = c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim);
    out.heads = nn::LatentHeads::joined(shape, matrix(name(Role::attn_kv_b, layer), rows, c.kv_lora_rank));
  }
}

// ---------------------------------------------------------------- experts

void Loader::load_experts(std::int64_t layer, ExpertWeights& out) {
  const Config& c = config_;
  out.router = linear(Role::router, layer, c.router.experts, c.hidden_size, c.expert_bias);
  if (c.correction_bias) {
    // Written by every V3 checkpoint; GGUF conversions of related models leave a bias of zeros out.
    const std::string bias = name(Role::correction_bias, layer);
    const bool optional = checkpoint_.container == io::Container::gguf;
    out.correction_bias = optional ? optional_vector(bias, c.router.experts) : vector(bias, c.router.experts);
  }
  if (c.expert_bias) {
    load_experts_gpt_oss(layer, out.store);
  } else if (find(name(Role::expert_gate, layer, 0))) {
    load_experts_one_by_one(layer, out.store);
  } else if (find(name(Role::experts_gate_up, layer))) {
    load_experts_fused(layer, out.store);
  } else if (find(name(Role::experts_gate, layer))) {
    load_experts_stacked(layer, out.store);
  } else {
    require(name(checkpoint_.container == io::Container::gguf ? Role::experts_gate : Role::expert_gate, layer, 0));
  }
  if (c.n_shared_experts > 0) {
    out.shared = mlp(Role::shared_gate, Role::shared_up, Role::shared_down, layer, c.n_shared_experts * c.moe_intermediate_size);
  }
}

void Loader::load_experts_one_by_one(std::int64_t layer, ExpertStore& out) {
  const Config& c = config_;
  for (std::int64_t e = 0; e < c.router.experts; ++e) {
    out.add({linear(matrix(name(Role::expert_gate, layer, e), c.moe_intermediate_size, c.hidden_size)),
             linear(matrix(name(Role::expert_up, layer, e), c.moe_intermediate_size, c.hidden_size)),
             linear(matrix(name(Role::expert_down, layer, e), c.hidden_size, c.moe_intermediate_size))});
  }
}

// Rows [first, first + rows) of a taller matrix.
WeightView row_range(WeightView whole, std::int64_t first, std::int64_t rows) {
  if (whole.stored.data) whole.stored.data += first * whole.stored.row_bytes;
  whole.rows = rows;
  return whole;
}

// GGUF: gate, up [experts, intermediate, hidden], down [experts, hidden, intermediate].
void Loader::load_experts_stacked(std::int64_t layer, ExpertStore& out) {
  const Config& c = config_;
  const std::int64_t experts = c.router.experts, width = c.moe_intermediate_size;
  const auto stack = [&](Role role, std::int64_t rows, std::int64_t cols) {
    const io::TensorInfo& tensor = require(name(role, layer));
    expect_shape(tensor, {experts, rows, cols});
    return view(tensor, experts * rows, cols);
  };
  const WeightView gate = stack(Role::experts_gate, width, c.hidden_size);
  const WeightView up = stack(Role::experts_up, width, c.hidden_size);
  const WeightView down = stack(Role::experts_down, c.hidden_size, width);
  for (std::int64_t e = 0; e < experts; ++e) {
    out.add({linear(row_range(gate, e * width, width)), linear(row_range(up, e * width, width)),
             linear(row_range(down, e * c.hidden_size, c.hidden_size))});
  }
}

// gate_up [experts, 2 * intermediate, hidden], gate rows first; down as above.
void Loader::load_experts_fused(std::int64_t layer, ExpertStore& out) {
  const Config& c = config_;
  const std::int64_t experts = c.router.experts, width = c.moe_intermediate_size;
  const io::TensorInfo& gate_up = require(name(Role::experts_gate_up, layer));
  const io::TensorInfo& down = require(name(Role::experts_down, layer));
  expect_shape(gate_up, {experts, 2 * width, c.hidden_size});
  expect_shape(down, {experts, c.hidden_size, width});
  const WeightView gate_up_view = view(gate_up, experts * 2 * width, c.hidden_size);
  const WeightView down_view = view(down, experts * c.hidden_size, width);
  if (gate_up.format == StorageFormat::f8_e4m3 || down.format == StorageFormat::f8_e4m3) {
    fail(Status::unsupported, "{}: FP8 experts stacked in one tensor are not read by this version", tensors_.describe(gate_up));
  }
  for (std::int64_t e = 0; e < experts; ++e) {
    out.add({linear(row_range(gate_up_view, e * 2 * width, width)), linear(row_range(gate_up_view, (e * 2 + 1) * width, width)),
             linear(row_range(down_view, e * c.hidden_size, c.hidden_size))});
  }
}

// Expert `expert` of a [experts, cols, step * rows] tensor, columns first, first + step, ... , turned into rows. Kept in its
// stored format: the one case where a layout does not serve as it is.
WeightView Loader::transposed_copy(const io::TensorInfo& tensor, std::int64_t expert, std::int64_t rows, std::int64_t cols,
                                   std::int64_t first, std::int64_t step) {
  const std::size_t size = storage_layout(tensor.format).block_bytes;
  WeightView out = view(tensor, rows, cols);
  if (dry()) return out;
  Buffer& copy = own(std::size_t(rows * cols) * size);
  const std::byte* from = read(tensor).data() + std::size_t(expert * rows * step * cols) * size;
  for (std::int64_t c = 0; c < cols; ++c) {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(copy.data() + std::size_t(r * cols + c) * size, from + std::size_t(c * rows * step + first + r * step) * size, size);
    }
  }
  out.stored.data = reinterpret_cast<const std::uint8_t*>(copy.data());
  return out;
}

// gpt-oss. GGUF: as stacked, with a bias beside each tensor. Hugging Face: gate and up rows alternate in one tensor, in MXFP4
// as blocks and scales [experts, rows, cols / 32 (, 16)], in BF16 as [experts, in, out].
void Loader::load_experts_gpt_oss(std::int64_t layer, ExpertStore& out) {
  const Config& c = config_;
  const std::int64_t experts = c.router.experts, width = c.moe_intermediate_size, hidden = c.hidden_size;
  if (checkpoint_.container == io::Container::gguf) {
    const auto part = [&](Role role, std::int64_t rows, std::int64_t cols, std::int64_t e) {
      const std::string weight = name(role, layer);
      const io::TensorInfo& tensor = require(weight);
      expect_shape(tensor, {experts, rows, cols});
      const float* bias = stacked_vector(weight.substr(0, weight.rfind('.')) + ".bias", experts, e, rows, 0, 1, rows);
      return linear(row_range(view(tensor, experts * rows, cols), e * rows, rows), bias);
    };
    for (std::int64_t e = 0; e < experts; ++e) {
      out.add({part(Role::experts_gate, width, hidden, e), part(Role::experts_up, width, hidden, e),
               part(Role::experts_down, hidden, width, e)});
    }
    return;
  }
  const std::string gate_up = name(Role::experts_gate_up, layer), down = name(Role::experts_down, layer);
  const bool mxfp4 = find(gate_up + "_blocks") != nullptr;

  // Rows first, first + step, ... of an expert's MXFP4 matrix of `all_rows` rows.
  const auto blocks = [&](const std::string& stem, std::int64_t e, std::int64_t all_rows, std::int64_t cols, std::int64_t first,
                          std::int64_t step) {
    const io::TensorInfo& values = require(stem + "_blocks");
    const io::TensorInfo& scales = require(stem + "_scales");
    if (cols % 32 != 0) fail(Status::corrupt_file, "{}: {} columns are not whole blocks of 32", tensors_.describe(values), cols);
    expect_shape(values, {experts, all_rows, cols / 32, 16});
    expect_shape(scales, {experts, all_rows, cols / 32});
    if (values.format != StorageFormat::u8 || scales.format != StorageFormat::u8) {
      fail(Status::corrupt_file, "{} is stored as {}, expected U8", tensors_.describe(values), values.type_name);
    }
    WeightView weights;
    weights.format = StorageFormat::f4_e2m1;
    weights.rows = all_rows / step;
    weights.cols = weights.stored.cols = cols;
    weights.stored.row_bytes = step * cols / 2;
    weights.stored.scale_rows = 1;
    weights.stored.scale_cols = 32;
    weights.stored.scale_is_e8m0 = 1;
    weights.stored.scale_stride = step * cols / 32;
    if (!dry()) {
      weights.stored.data = reinterpret_cast<const std::uint8_t*>(read(values).data()) + (e * all_rows + first) * cols / 2;
      weights.stored.scales = read(scales).data() + (e * all_rows + first) * cols / 32;
    }
    return weights;
  };
  const auto weights = [&](const std::string& stem, std::int64_t e, std::int64_t all_rows, std::int64_t cols, std::int64_t first,
                           std::int64_t step) {
    if (mxfp4) return blocks(stem, e, all_rows, cols, first, step);
    const io::TensorInfo& tensor = require(stem);
    expect_shape(tensor, {experts, cols, all_rows});
    if (storage_layout(tensor.format).block_values != 1) {
      fail(Status::unsupported, "{} is stored as {}, expected a plain float type", tensors_.describe(tensor), tensor.type_name);
    }
    return transposed_copy(tensor, e, all_rows / step, cols, first, step);
  };
  for (std::int64_t e = 0; e < experts; ++e) {
    out.add({linear(weights(gate_up, e, 2 * width, hidden, 0, 2), stacked_vector(gate_up + "_bias", experts, e, 2 * width, 0, 2, width)),
             linear(weights(gate_up, e, 2 * width, hidden, 1, 2), stacked_vector(gate_up + "_bias", experts, e, 2 * width, 1, 2, width)),
             linear(weights(down, e, hidden, width, 0, 1), stacked_vector(down + "_bias", experts, e, hidden, 0, 1, hidden))});
  }
}

// ---------------------------------------------------------------- the whole

void Loader::report(double done, std::string_view what) const {
  if (options_.progress && !options_.progress(done, what)) fail(Status::cancelled, "{}: loading was cancelled", checkpoint_.path);
}

// Every value of every tensor that could be a weight is finite.
void Loader::verify_all() const {
  constexpr std::size_t kValues = 1 << 14;
  std::vector<float> values(kValues);
  const std::span<const io::TensorInfo> all = tensors_.tensors();
  for (std::size_t t = 0; t < all.size(); ++t) {
    const io::TensorInfo& tensor = all[t];
    report(0.5 * double(t) / double(all.size()), "verifying");
    if (!quant::find_format(tensor.format)) continue;
    const StorageLayout& layout = storage_layout(tensor.format);
    const std::span<const std::byte> bytes = read(tensor);
    const std::size_t blocks = bytes.size() / layout.block_bytes, step = kValues / layout.block_values;
    for (std::size_t b = 0; b < blocks; b += step) {
      const std::size_t count = std::min(step, blocks - b);
      const std::span<float> out(values.data(), count * layout.block_values);
      quant::decode(tensor.format, bytes.subspan(b * layout.block_bytes, count * layout.block_bytes), out);
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (!std::isfinite(out[i])) {
          fail(Status::corrupt_file, "{}: value {} is {}", tensors_.describe(tensor), b * layout.block_values + i, out[i]);
        }
      }
    }
  }
}

Weights Loader::load() {
  const Config& c = config_;
  Weights w;
  if (options_.verify && !dry()) verify_all();
  const WeightView embedding = matrix(name(Role::token_embd, 0), c.vocab_size, c.hidden_size);
  w.output_norm = vector(name(Role::output_norm, 0), c.hidden_size);
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    report(0.5 * double(options_.verify) + (1.0 - 0.5 * double(options_.verify)) * double(layer) / double(c.num_hidden_layers),
           "loading layers");
    LayerWeights l;
    l.attn_norm = vector(name(Role::attn_norm, layer), c.hidden_size);
    l.ffn_norm = vector(name(Role::ffn_norm, layer), c.hidden_size);
    load_attention(layer, l.attention);
    if (c.is_moe(layer)) {
      load_experts(layer, l.experts);
    } else {
      l.mlp = mlp(Role::ffn_gate, Role::ffn_up, Role::ffn_down, layer, c.intermediate_size);
    }
    if (!dry()) w.layers.push_back(std::move(l));
  }
  w.token_embd = embedding;
  // A tied model may still carry a head of its own; an untied one without it is broken.
  const bool has_head = find(name(Role::output, 0)) != nullptr;
  w.output = has_head || !c.tie_word_embeddings ? linear(Role::output, 0, c.vocab_size, c.hidden_size) : linear(embedding);
  report(1.0, "loading layers");
  w.owned = std::move(owned_);
  return w;
}

}  // namespace

Weights load_weights(io::Checkpoint& checkpoint, const Family& family, const Config& config, const Backends& backends,
                     Allocator& allocator, const LoadOptions& options) {
  Weights weights = Loader(checkpoint, family, config, backends, &allocator, options).load();
  weights.stored = std::move(checkpoint.tensors);
  return weights;
}

void check_tensors(const io::Checkpoint& checkpoint, const Family& family, const Config& config) {
  const Backends none;
  const LoadOptions defaults;
  Loader(checkpoint, family, config, none, nullptr, defaults).load();
}

}  // namespace fathom::model
