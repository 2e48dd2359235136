#include "model/residual/plain.hpp"

#include "model/pass/products.hpp"
#include "model/residual/residual_names.hpp"
#include "model/tensors/tensor_loader.hpp"

namespace fathom::model {
namespace {

constexpr int kBlocks = 2;

struct Weights {
  const float* norm[kBlocks] = {};  // before attention, before the feed-forward part; [hidden] each
};

void load(TensorLoader& t, int layer, Slot& slot) {
  Weights& w = slot.emplace<Weights>();
  w.norm[0] = t.vector(t.name(kAttnNorm, layer), t.config.hidden_size);
  w.norm[1] = t.vector(t.name(kFfnNorm, layer), t.config.hidden_size);
}

// normed = RMSNorm(x), also in the forms that the block's matrices read.
void run_norm(Pass& pass, Place at, std::int64_t unit, Worker&) {
  const Config& c = pass.config();
  const float* weight = pass.network.layers[std::size_t(at.layer)].residual.get<Weights>().norm[at.block];
  const ActivationForms forms = pass.block(at).input_forms(pass.rows);
  for_rows(unit, pass.rows, [&](std::int64_t row) {
    float* out = pass.memory.normed.row(row);
    pass.kernels.rms_norm(pass.memory.x.row(row), weight, c.rms_norm_eps, c.hidden_size, out);
    pass.memory.normed_rounded.store(pass.kernels, forms, row, c.hidden_size, 0, c.hidden_size, out);
  });
}

constexpr StageKind kNorms[kBlocks] = {{"attn_norm", Part::other, all_row_units, run_norm},
                                       {"ffn_norm", Part::other, all_row_units, run_norm}};

void enter(const Config&, Place at, Plan& plan) { plan.add(kNorms[at.block], at); }

void merge(Pass& pass, Place, std::int64_t row, std::int64_t first, std::int64_t count, const float* values, float factor) {
  float* out = pass.memory.x.row(row) + first;
  if (factor == 1.0f) {
    pass.kernels.add(out, values, count);
  } else {
    pass.kernels.axpy(factor, values, out, count);
  }
}

}  // namespace

constexpr Residual kPlainResidual{"plain", load, enter, merge, nullptr};

}  // namespace fathom::model
