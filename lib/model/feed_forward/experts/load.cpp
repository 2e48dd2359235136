// The experts of a layer, in the four ways that checkpoints keep them.
#include <cstring>

#include "base/error.hpp"
#include "model/feed_forward/experts/experts.hpp"
#include "model/tensors/tensor_loader.hpp"

namespace fathom::model {
namespace {

void load_experts_one_by_one(TensorLoader& t, int layer, ExpertStore& out) {
  const Config& c = t.config;
  const std::int64_t width = c.moe_intermediate_size, hidden = c.hidden_size;
  for (std::int64_t e = 0; e < c.router.experts; ++e) {
    out.add({t.linear(t.name(kExpertGate, layer, e), width, hidden), t.linear(t.name(kExpertUp, layer, e), width, hidden),
             t.linear(t.name(kExpertDown, layer, e), hidden, width)});
  }
}

// Rows [first, first + rows) of a taller matrix.
WeightView row_range(WeightView whole, std::int64_t first, std::int64_t rows) {
  if (whole.stored.data) whole.stored.data += first * whole.stored.row_bytes;
  whole.rows = rows;
  return whole;
}

// A tensor [experts, rows, cols].
WeightView load_stack(TensorLoader& t, const TensorName& name, int layer, std::int64_t rows, std::int64_t cols) {
  const std::int64_t experts = t.config.router.experts;
  const io::TensorInfo& tensor = t.require(t.name(name, layer));
  t.expect_shape(tensor, {experts, rows, cols});
  return t.place(tensor, t.view(tensor, experts * rows, cols), rows);
}

// GGUF: gate, up [experts, intermediate, hidden], down [experts, hidden, intermediate].
void load_experts_stacked(TensorLoader& t, int layer, ExpertStore& out) {
  const Config& c = t.config;
  const std::int64_t experts = c.router.experts, width = c.moe_intermediate_size;
  const WeightView gate = load_stack(t, kExpertsGate, layer, width, c.hidden_size);
  const WeightView up = load_stack(t, kExpertsUp, layer, width, c.hidden_size);
  const WeightView down = load_stack(t, kExpertsDown, layer, c.hidden_size, width);
  for (std::int64_t e = 0; e < experts; ++e) {
    out.add({t.linear(row_range(gate, e * width, width)), t.linear(row_range(up, e * width, width)),
             t.linear(row_range(down, e * c.hidden_size, c.hidden_size))});
  }
}

// gate_up [experts, 2 * intermediate, hidden], gate rows first; down as above.
void load_experts_fused(TensorLoader& t, int layer, ExpertStore& out) {
  const Config& c = t.config;
  const std::int64_t experts = c.router.experts, width = c.moe_intermediate_size;
  const io::TensorInfo& gate_up = t.require(t.name(kExpertsGateUpName, layer));
  const io::TensorInfo& down = t.require(t.name(kExpertsDown, layer));
  t.expect_shape(gate_up, {experts, 2 * width, c.hidden_size});
  t.expect_shape(down, {experts, c.hidden_size, width});
  if (gate_up.format == StorageFormat::f8_e4m3 || down.format == StorageFormat::f8_e4m3) {
    fail(Status::unsupported, "{}: FP8 experts stacked in one tensor are not read by this version", t.describe(gate_up));
  }
  const WeightView gate_up_view = t.place(gate_up, t.view(gate_up, experts * 2 * width, c.hidden_size), width);
  const WeightView down_view = t.place(down, t.view(down, experts * c.hidden_size, width), c.hidden_size);
  for (std::int64_t e = 0; e < experts; ++e) {
    out.add({t.linear(row_range(gate_up_view, e * 2 * width, width)),
             t.linear(row_range(gate_up_view, (e * 2 + 1) * width, width)),
             t.linear(row_range(down_view, e * c.hidden_size, c.hidden_size))});
  }
}

// gpt-oss. GGUF: as stacked, with a bias beside each tensor. Hugging Face: gate and up rows alternate in one tensor, in MXFP4
// as blocks and scales [experts, rows, cols / 32 (, 16)], in BF16 as [experts, in, out].
void load_experts_gpt_oss(TensorLoader& t, int layer, ExpertStore& out) {
  const Config& c = t.config;
  const std::int64_t experts = c.router.experts, width = c.moe_intermediate_size, hidden = c.hidden_size;
  if (t.in_gguf()) {
    const WeightView gate = load_stack(t, kExpertsGate, layer, width, hidden);
    const WeightView up = load_stack(t, kExpertsUp, layer, width, hidden);
    const WeightView down = load_stack(t, kExpertsDown, layer, hidden, width);
    const auto part = [&](const TensorName& name, const WeightView& stack, std::int64_t rows, std::int64_t e) {
      const std::string weight = t.name(name, layer);
      const float* bias = t.stacked_vector(weight.substr(0, weight.rfind('.')) + ".bias", experts, e, rows, 0, 1, rows);
      return t.linear(row_range(stack, e * rows, rows), bias);
    };
    for (std::int64_t e = 0; e < experts; ++e) {
      out.add({part(kExpertsGate, gate, width, e), part(kExpertsUp, up, width, e), part(kExpertsDown, down, hidden, e)});
    }
    return;
  }
  const std::string gate_up = t.name(kExpertsGateUpName, layer), down = t.name(kExpertsDown, layer);

  // Rows first, first + step, ... of an expert's MXFP4 matrix of `all_rows` rows.
  const auto blocks = [&](const std::string& stem, std::int64_t e, std::int64_t all_rows, std::int64_t cols, std::int64_t first,
                          std::int64_t step) {
    const io::TensorInfo& values = t.require(stem + "_blocks");
    const io::TensorInfo& scales = t.require(stem + "_scales");
    if (cols % 32 != 0) fail(Status::corrupt_file, "{}: {} columns are not whole blocks of 32", t.describe(values), cols);
    t.expect_shape(values, {experts, all_rows, cols / 32, 16});
    t.expect_shape(scales, {experts, all_rows, cols / 32});
    if (values.format != StorageFormat::u8 || scales.format != StorageFormat::u8) {
      fail(Status::corrupt_file, "{} is stored as {}, expected U8", t.describe(values), values.type_name);
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
    const std::span<const std::byte> value_bytes = t.read(values), scale_bytes = t.read(scales);
    if (!t.dry()) {
      weights.stored.data = reinterpret_cast<const std::uint8_t*>(value_bytes.data()) + (e * all_rows + first) * cols / 2;
      weights.stored.scales = scale_bytes.data() + (e * all_rows + first) * cols / 32;
    }
    return weights;
  };
  const auto weights = [&](const std::string& stem, std::int64_t e, std::int64_t all_rows, std::int64_t cols,
                           std::int64_t first, std::int64_t step) {
    if (t.find(stem + "_blocks")) return blocks(stem, e, all_rows, cols, first, step);
    const io::TensorInfo& tensor = t.require(stem);
    t.expect_shape(tensor, {experts, cols, all_rows});
    if (storage_layout(tensor.format).block_values != 1) {
      fail(Status::unsupported, "{} is stored as {}, expected a plain float type", t.describe(tensor), tensor.type_name);
    }
    return t.transposed_copy(tensor, e, all_rows / step, cols, first, step);
  };
  for (std::int64_t e = 0; e < experts; ++e) {
    out.add(
        {t.linear(weights(gate_up, e, 2 * width, hidden, 0, 2),
                  t.stacked_vector(gate_up + "_bias", experts, e, 2 * width, 0, 2, width)),
         t.linear(weights(gate_up, e, 2 * width, hidden, 1, 2),
                  t.stacked_vector(gate_up + "_bias", experts, e, 2 * width, 1, 2, width)),
         t.linear(weights(down, e, hidden, width, 0, 1), t.stacked_vector(down + "_bias", experts, e, hidden, 0, 1, hidden))});
  }
}

}  // namespace

void load_experts(TensorLoader& t, int layer, Slot& slot) {
  const Config& c = t.config;
  ExpertWeights& out = slot.emplace<ExpertWeights>();
  out.router = t.linear(kRouter, layer, c.router.experts, c.hidden_size, c.expert_bias, RowCounts::few);
  if (c.correction_bias) {
    // Written by every V3 checkpoint; GGUF conversions of related models leave a bias of zeros out.
    const std::string bias = t.name(kCorrectionBias, layer);
    out.correction_bias = t.in_gguf() ? t.optional_vector(bias, c.router.experts) : t.vector(bias, c.router.experts);
  }
  if (c.expert_bias) {
    load_experts_gpt_oss(t, layer, out.store);
  } else if (t.find(t.name(kExpertGate, layer, 0))) {
    load_experts_one_by_one(t, layer, out.store);
  } else if (t.find(t.name(kExpertsGateUpName, layer))) {
    load_experts_fused(t, layer, out.store);
  } else if (t.find(t.name(kExpertsGate, layer))) {
    load_experts_stacked(t, layer, out.store);
  } else {
    t.require(t.name(t.in_gguf() ? kExpertsGate : kExpertGate, layer, 0));
  }
  if (c.n_shared_experts > 0) {
    const std::int64_t width = c.n_shared_experts * c.moe_intermediate_size;
    out.shared = {t.linear(kSharedGate, layer, width, c.hidden_size), t.linear(kSharedUp, layer, width, c.hidden_size),
                  t.linear(kSharedDownName, layer, c.hidden_size, width)};
  }
}

}  // namespace fathom::model
