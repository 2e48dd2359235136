// act(gate x, up x) on the rows of a pass, for dense layers and for shared experts.
#pragma once

#include "model/stage_support.hpp"

namespace fathom::model {

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
inline void run_gate_up_unit(Pass& pass, const GatedMlp& mlp, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&mlp.gate};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  const ColumnTile& tile = product.tile;
  const std::int64_t width = mlp.gate.out();
  const Activations x = normed_rows(pass);
  const nn::Linear* readers[] = {&mlp.down};
  const ActivationForms forms = forms_of(pass, readers);
  const Matrix<float> gate{pass.ws.gate.data, pass.rows, width}, up{pass.ws.up.data, pass.rows, width};
  multiply_unit(mlp.gate, x, gate, product, worker);
  multiply_unit(mlp.up, x, up, product, worker);
  for (std::int64_t row = product.rows.first; row < product.rows.first + product.rows.count; ++row) {
    activate(pass, gate.row(row) + tile.first, up.row(row) + tile.first, tile.last - tile.first);
    pass.ws.hidden_rounded.store(pass.kernels, forms, row, width, tile.first, tile.last, gate.row(row));
  }
}

// What run_gate_up_unit left, as down reads it.
inline Activations hidden_rows(const Pass& pass, std::int64_t width) {
  return pass.ws.hidden_rounded.rows({pass.ws.gate.data, pass.rows, width});
}

inline std::int64_t count_down_units(const Pass& pass, const GatedMlp& mlp) {
  const nn::Linear* matrix[] = {&mlp.down};
  return count_product_units(pass, matrix);
}

// A tile of down, added to the residual stream.
inline void run_down_unit(Pass& pass, const GatedMlp& mlp, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&mlp.down};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  multiply_unit(mlp.down, hidden_rows(pass, mlp.down.in()), pass.ws.branch, product, worker);
  add_branch(pass, product);
}

}  // namespace fathom::model
