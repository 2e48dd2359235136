#include "model/tensors/tensor_loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "platform/memory_policy.hpp"
#include "quant/formats.hpp"

namespace fathom::model {
namespace {

constexpr std::int64_t kCacheLine = 64;  // where placed matrices begin

std::string shape_text(std::span<const std::int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

const io::TensorInfo& TensorLoader::require(const std::string& tensor) const {
  const io::TensorInfo* found = find(tensor);
  if (!found) {
    fail(Status::corrupt_file, "{}: tensor '{}' is missing; a {} model of {} layers needs it", checkpoint.path, tensor,
         config.family, config.num_hidden_layers);
  }
  return *found;
}

void TensorLoader::expect_shape(const io::TensorInfo& tensor, std::initializer_list<std::int64_t> shape) const {
  if (std::equal(shape.begin(), shape.end(), tensor.shape.begin(), tensor.shape.end())) return;
  fail(Status::corrupt_file, "{} has shape {}, expected {} by the configuration", tensors_.describe(tensor),
       shape_text(tensor.shape), shape_text({shape.begin(), shape.size()}));
}

std::span<const std::byte> TensorLoader::read(const io::TensorInfo& tensor) {
  use(tensor);
  return dry() ? std::span<const std::byte>() : tensors_.bytes(tensor);
}

void TensorLoader::pass_over(const std::string& tensor) {
  if (const io::TensorInfo* found = find(tensor)) use(*found);
}

std::vector<const io::TensorInfo*> TensorLoader::unused() const {
  std::vector<const io::TensorInfo*> out;
  for (const io::TensorInfo& tensor : tensors_.tensors()) {
    if (!used_[index_of(tensor)]) out.push_back(&tensor);
  }
  return out;
}

std::byte* TensorLoader::own(std::size_t bytes) {
  bytes_.owned += std::int64_t(bytes);
  return dry() ? nullptr : owned_.emplace_back(*allocator_, bytes, MemoryPurpose::weights).data();
}

const float* TensorLoader::vector(const std::string& tensor, std::int64_t size) {
  const io::TensorInfo& info = require(tensor);
  expect_shape(info, {size});
  if (!quant::find_format(info.format)) {
    fail(Status::unsupported, "{} is stored as {}, which this version does not read", tensors_.describe(info), info.type_name);
  }
  float* out = reinterpret_cast<float*>(own(std::size_t(size) * sizeof(float)));
  const std::span<const std::byte> bytes = read(info);
  if (!dry()) quant::decode(info.format, bytes, {out, std::size_t(size)});
  return out;
}

const float* TensorLoader::optional_vector(const std::string& tensor, std::int64_t size) {
  return find(tensor) ? vector(tensor, size) : nullptr;
}

const float* TensorLoader::stacked_vector(const std::string& tensor, std::int64_t parts, std::int64_t index, std::int64_t width,
                                          std::int64_t first, std::int64_t step, std::int64_t size) {
  const io::TensorInfo& info = require(tensor);
  expect_shape(info, {parts, width});
  const StorageLayout& layout = storage_layout(info.format);
  if (layout.block_values != 1 || !quant::find_format(info.format)) {
    fail(Status::unsupported, "{} is stored as {}, expected F32, F16 or BF16", tensors_.describe(info), info.type_name);
  }
  float* out = reinterpret_cast<float*>(own(std::size_t(size) * sizeof(float)));
  const std::span<const std::byte> bytes = read(info);
  if (dry()) return nullptr;
  for (std::int64_t i = 0; i < size; ++i) {
    const std::size_t at = std::size_t(index * width + first + i * step) * layout.block_bytes;
    quant::decode(info.format, bytes.subspan(at, layout.block_bytes), {out + i, 1});
  }
  return out;
}

// The factors of an FP8 matrix: "X.weight_scale_inv" (DeepSeek-V3) or "X.scale" (V4), one for a tile of rows and columns.
void TensorLoader::attach_factors(const io::TensorInfo& tensor, WeightView& view) {
  if (view.format != StorageFormat::f8_e4m3) return;
  const io::TensorInfo* factors = find(tensor.name + "_scale_inv");
  if (!factors) {
    fail(Status::corrupt_file, "{} is F8_E4M3 without its factors '{}_scale_inv'", tensors_.describe(tensor), tensor.name);
  }
  const io::Value& block = checkpoint.config["quantization_config"]["weight_block_size"];
  const auto block_side = [&](std::size_t i) {
    const auto side = block.array().size() == 2 ? block.array()[i].as_int() : std::optional<std::int64_t>(128);
    if (!side || *side < 1 || *side > 1 << 16) {
      fail(Status::corrupt_file, "{}/config.json: weight_block_size is not two sane integers", checkpoint.path);
    }
    return *side;
  };
  const std::int64_t tile_rows = block_side(0), tile_cols = block_side(1);
  expect_shape(*factors, {(view.rows + tile_rows - 1) / tile_rows, (view.cols + tile_cols - 1) / tile_cols});
  const bool narrow = factors->format == StorageFormat::bf16;
  if (!narrow && factors->format != StorageFormat::f32 && factors->format != StorageFormat::f8_e8m0) {
    fail(Status::unsupported, "{} is stored as {}, expected F32, BF16 or F8_E8M0", tensors_.describe(*factors),
         factors->type_name);
  }
  view.stored.scale_is_e8m0 = factors->format == StorageFormat::f8_e8m0;
  view.stored.scale_stride = factors->shape[1];
  view.stored.scale_rows = std::int32_t(tile_rows);
  view.stored.scale_cols = std::int32_t(tile_cols);
  const std::span<const std::byte> bytes = read(*factors);
  view.stored.scales = bytes.data();
  if (!narrow) return;
  // Kernels read factors in F32.
  std::byte* const copy = own(std::size_t(factors->values()) * sizeof(float));
  if (!dry()) quant::decode(factors->format, bytes, {reinterpret_cast<float*>(copy), std::size_t(factors->values())});
  view.stored.scales = copy;
}

// The tensor's values as rows x cols, however many dimensions they are written in.
WeightView TensorLoader::view(const io::TensorInfo& tensor, std::int64_t rows, std::int64_t cols) {
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
  view.stored.data = reinterpret_cast<const std::uint8_t*>(read(tensor).data());
  return view;
}

WeightView TensorLoader::matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols) {
  const io::TensorInfo& info = require(tensor);
  expect_shape(info, {rows, cols});
  WeightView weights = view(info, rows, cols);
  attach_factors(info, weights);
  return weights;
}

void TensorLoader::reserve(std::int64_t bytes) {
  if (bytes == 0) return;
  const Buffer& block = owned_.emplace_back(*allocator_, std::size_t(bytes), MemoryPurpose::weights);
  prefer_large_pages({block.data(), block.bytes()});
  reserved_ = block.as<std::uint8_t>();
}

WeightView TensorLoader::place(const io::TensorInfo& tensor, const WeightView& whole, std::int64_t rows, Order order) {
  if (!options.place || !tensors_.can_release(tensor.part)) return whole;
  WeightView one = whole, out = whole;
  one.rows = rows;
  const kernels::InterleaveRows interleave = order == Order::fastest ? engine_.choose(one).interleave : nullptr;
  const std::int64_t bytes = (whole.bytes() + kCacheLine - 1) / kCacheLine * kCacheLine;
  bytes_.owned += bytes;
  bytes_.placed += bytes;
  bytes_.released += whole.bytes();
  if (dry()) return out;
  out.stored.data = reserved_;
  out.stored.interleaved = interleave != nullptr;
  placements_.push_back({whole, interleave, reserved_});
  reserved_ += bytes;
  return out;
}

WeightView TensorLoader::placed_matrix(const std::string& tensor, std::int64_t rows, std::int64_t cols, Order order) {
  return place(require(tensor), matrix(tensor, rows, cols), rows, order);
}

nn::Linear TensorLoader::linear(const WeightView& weights, const float* bias, RowCounts rows) {
  const BackendChoice choice = engine_.choose(weights, rows);
  // Where nobody multiplies by it, the native back end says so.
  const GemmBackend& few = choice.few ? *choice.few : *engine_.native;
  return nn::Linear(weights, bias, few, choice.many, choice.border, options.max_rows, dry() ? heap_allocator() : *allocator_);
}

const float* TensorLoader::bias_of(const std::string& weight, std::int64_t rows, bool required) {
  if (!required && !in_gguf()) return nullptr;
  const std::string bias = weight.substr(0, weight.rfind('.')) + ".bias";
  return required || find(bias) ? vector(bias, rows) : nullptr;
}

nn::Linear TensorLoader::linear(const std::string& weight, std::int64_t rows, std::int64_t cols, bool bias, RowCounts counts) {
  const WeightView weights = placed_matrix(weight, rows, cols);
  const float* bias_vector = bias_of(weight, rows, bias);
  return linear(weights, bias_vector, counts);
}

WeightView TensorLoader::transposed_copy(const io::TensorInfo& tensor, std::int64_t expert, std::int64_t rows,
                                         std::int64_t cols, std::int64_t first, std::int64_t step) {
  const std::size_t size = storage_layout(tensor.format).block_bytes;
  WeightView out = view(tensor, rows, cols);
  std::byte* copy = own(std::size_t(rows * cols) * size);
  if (dry()) {
    out.stored.data = nullptr;
    return out;
  }
  const std::byte* from = read(tensor).data() + std::size_t(expert * rows * step * cols) * size;
  for (std::int64_t c = 0; c < cols; ++c) {
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(copy + std::size_t(r * cols + c) * size, from + std::size_t(c * rows * step + first + r * step) * size, size);
    }
  }
  out.stored.data = reinterpret_cast<const std::uint8_t*>(copy);
  return out;
}

}  // namespace fathom::model
