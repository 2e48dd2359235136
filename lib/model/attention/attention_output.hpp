// The output projection that every attention ends with: the heads' values, rounded as the matrix reads them, times W_O, merged.
// `Weights` has the matrix as `output`; `Scratch` has the values as `heads` [rows, heads * v_head_dim], without gaps, and
// `heads_rounded`.
#pragma once

#include "model/pass/products.hpp"

namespace fathom::model {

template <typename Weights>
std::int64_t round_heads_units(const Pass& pass, Place at) {
  return pass.weights<Weights>(at).output.form(pass.rows) == ActivationForm::f32 ? 0 : row_units(pass.rows);
}

template <typename Weights, typename Scratch>
void run_round_heads(Pass& pass, Place at, std::int64_t unit, Worker&) {
  const Scratch& s = pass.scratch<Scratch>(at);
  const nn::Linear* readers[] = {&pass.weights<Weights>(at).output};
  const ActivationForms forms = forms_of(pass, readers);
  const std::int64_t cols = readers[0]->in();
  for_rows(unit, pass.rows, [&](std::int64_t row) {
    s.heads_rounded.store(pass.kernels, forms, row, cols, 0, cols, s.heads.data + row * cols);
  });
}

template <typename Weights>
std::int64_t attn_output_units(const Pass& pass, Place at) {
  const nn::Linear* matrix[] = {&pass.weights<Weights>(at).output};
  return count_product_units(pass, matrix);
}

template <typename Weights, typename Scratch>
void run_attn_output(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const Scratch& s = pass.scratch<Scratch>(at);
  const nn::Linear* matrix[] = {&pass.weights<Weights>(at).output};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  const Matrix<const float> heads{s.heads.data, pass.rows, matrix[0]->in()};
  multiply_unit(*matrix[0], s.heads_rounded.rows(heads), pass.memory.branch, product, worker);
  merge_branch(pass, at, product);
}

template <typename Weights, typename Scratch>
inline constexpr StageKind kRoundHeads{"round_heads", Part::other, round_heads_units<Weights>,
                                       run_round_heads<Weights, Scratch>};
template <typename Weights, typename Scratch>
inline constexpr StageKind kAttnOutput{"attn_output", Part::attention, attn_output_units<Weights>,
                                       run_attn_output<Weights, Scratch>};

}  // namespace fathom::model
