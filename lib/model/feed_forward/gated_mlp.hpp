// act(gate x, up x) on the rows of a pass, for dense layers and for shared experts (Shazeer, arXiv:2002.05202).
#pragma once

#include "model/mechanism.hpp"
#include "model/pass/products.hpp"

namespace fathom::model {

// gate, up [intermediate, hidden], down [hidden, intermediate]: down(act(gate x, up x)).
struct GatedMlp {
  nn::Linear gate, up, down;
  explicit operator bool() const noexcept { return bool(gate); }
};

struct GatedScratch {
  Matrix<float> gate, up;  // [rows, intermediate]; gate becomes act(gate, up)
  RoundedBuffer hidden_rounded;
};

inline void visit_mlp(const GatedMlp& mlp, MatrixUse::Reads reads, bool routed, const MatrixVisitor& visit) {
  visit({mlp.gate.weights(), &mlp.gate, reads, routed});
  visit({mlp.up.weights(), &mlp.up, reads, routed});
  visit({mlp.down.weights(), &mlp.down, MatrixUse::Reads::other, routed});
}

inline GatedScratch take_gated_scratch(PassMemoryPlan& plan, std::int64_t width) {
  const std::int64_t rows = plan.limits.rows;
  GatedScratch s;
  s.gate = plan.arena.matrix(rows, width);
  s.up = plan.arena.matrix(rows, width);
  s.hidden_rounded = plan.arena.rounded(rows, width, plan.forms);
  return s;
}

inline void activate(const Pass& pass, float* gate, const float* up, std::int64_t n) {
  const Config& c = pass.config();
  if (c.activation == Activation::swiglu_oai) {
    pass.kernels.swiglu_oai(gate, up, c.swiglu_limit, gate, n);
  } else {
    pass.kernels.silu_mul(gate, up, gate, n);
  }
}

inline std::int64_t count_gate_up_units(const Pass& pass, const GatedMlp& mlp) {
  const nn::Linear* matrix[] = {&mlp.gate};
  return count_product_units(pass, matrix);
}

// A tile of gate and of up, activated, and rounded as down reads it: one unit, no barrier in between.
inline void run_gate_up_unit(Pass& pass, const GatedMlp& mlp, const GatedScratch& s, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&mlp.gate};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  const ColumnTile& tile = product.tile;
  const std::int64_t width = mlp.gate.out();
  const Activations x = normed_rows(pass);
  const nn::Linear* readers[] = {&mlp.down};
  const ActivationForms forms = forms_of(pass, readers);
  const Matrix<float> gate{s.gate.data, pass.rows, width}, up{s.up.data, pass.rows, width};
  multiply_unit(mlp.gate, x, gate, product, worker);
  multiply_unit(mlp.up, x, up, product, worker);
  for (std::int64_t row = product.rows.first; row < product.rows.first + product.rows.count; ++row) {
    activate(pass, gate.row(row) + tile.first, up.row(row) + tile.first, tile.last - tile.first);
    s.hidden_rounded.store(pass.kernels, forms, row, width, tile.first, tile.last, gate.row(row));
  }
}

inline std::int64_t count_down_units(const Pass& pass, const GatedMlp& mlp) {
  const nn::Linear* matrix[] = {&mlp.down};
  return count_product_units(pass, matrix);
}

// A tile of down, merged.
inline void run_down_unit(Pass& pass, Place at, const GatedMlp& mlp, const GatedScratch& s, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&mlp.down};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  const Activations hidden = s.hidden_rounded.rows(Matrix<const float>{s.gate.data, pass.rows, mlp.down.in()});
  multiply_unit(mlp.down, hidden, pass.memory.branch, product, worker);
  merge_branch(pass, at, product);
}

}  // namespace fathom::model
