// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): one latent row a token stands for the keys and
// values of all heads. This file makes queries and latents; stages_latent_absorbed.cpp and stages_latent_expanded.cpp are the
// two ways to attend.
#include "model/stage_support.hpp"

namespace fathom::model::stages {
namespace {

const nn::Linear& first_query_matrix(const AttentionWeights& a) { return a.q_a ? a.q_a : a.q; }

// ---------------------------------------------------------------- down-projections

std::int64_t project_latent_units(const Pass& pass, int layer) {
  const AttentionWeights& a = pass.layer(layer).attention;
  const nn::Linear* matrices[] = {&first_query_matrix(a), &a.kv_a};
  return count_product_units(pass, matrices);
}

void run_project_latent(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const AttentionWeights& a = pass.layer(layer).attention;
  const nn::Linear* matrices[] = {&first_query_matrix(a), &a.kv_a};
  const ProductUnit product = find_product_unit(pass, matrices, unit);
  const Matrix<float> query_out = a.q_a ? pass.ws.q_latent : pass.ws.q;
  multiply_unit(*matrices[product.tile.matrix], normed_rows(pass), product.tile.matrix == 0 ? query_out : pass.ws.kv, product,
                worker);
}

void rotate_query_row(Pass& pass, std::int64_t row) {
  const Config& c = pass.config();
  rotate_heads(pass, row, pass.ws.q.row(row) + c.qk_nope_head_dim, c.num_attention_heads, c.head_dim);
}

// The latents are normed, the shared key rotated, and both stored; a plain query is rotated here too.
void run_norm_and_store_latent(Pass& pass, int layer, std::int64_t unit, Worker&) {
  const AttentionWeights& a = pass.layer(layer).attention;
  const Config& c = pass.config();
  const nn::Linear* readers[] = {&a.q_b};
  const ActivationForms forms = forms_of(pass, readers);
  for (const RowSpan& span : pass.spans) {
    for_rows(unit, pass.rows, [&](std::int64_t row) {
      if (row < span.first_row || row >= span.first_row + span.rows) return;
      float* latent = pass.ws.kv.row(row);
      pass.kernels.rms_norm(latent, a.kv_a_norm, c.latent_norm_eps, c.kv_lora_rank, latent);
      rotate_heads(pass, row, latent + c.kv_lora_rank, 1, 0);
      span.cache->store(pass.kernels, layer, pass.positions[std::size_t(row)], latent);
      if (!a.q_a) {
        rotate_query_row(pass, row);
        return;
      }
      float* q_latent = pass.ws.q_latent.row(row);
      pass.kernels.rms_norm(q_latent, a.q_a_norm, c.latent_norm_eps, c.q_lora_rank, q_latent);
      pass.ws.q_latent_rounded.store(pass.kernels, forms, row, c.q_lora_rank, 0, c.q_lora_rank, q_latent);
    });
  }
}

std::int64_t project_queries_units(const Pass& pass, int layer) {
  const nn::Linear* matrix[] = {&pass.layer(layer).attention.q_b};
  return count_product_units(pass, matrix);
}

void run_project_queries(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&pass.layer(layer).attention.q_b};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  multiply_unit(*matrix[0], pass.ws.q_latent_rounded.rows(pass.ws.q_latent.slice(0, pass.rows)), pass.ws.q, product, worker);
}

void run_rotate_queries(Pass& pass, int, std::int64_t unit, Worker&) {
  for_rows(unit, pass.rows, [&](std::int64_t row) { rotate_query_row(pass, row); });
}

}  // namespace

constexpr StageKind project_latent{"project_latent", Part::attention, project_latent_units, run_project_latent};
constexpr StageKind norm_and_store_latent{"norm_and_store_latent", Part::attention, all_row_units, run_norm_and_store_latent};
constexpr StageKind project_queries{"project_queries", Part::attention, project_queries_units, run_project_queries};
constexpr StageKind rotate_queries{"rotate_queries", Part::attention, all_row_units, run_rotate_queries};

}  // namespace fathom::model::stages
