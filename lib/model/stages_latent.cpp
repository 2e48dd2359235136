// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): one latent row a token stands for the keys and
// values of all heads. Few rows attend to the latents themselves, with the up-projections absorbed into query and output;
// long chunks expand keys and values head by head. Both read the same cache.
#include <cstring>

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
      if (a.q_b.reads_quantised()) pass.ws.q_latent_q8.store(pass.kernels, row, c.q_lora_rank, 0, c.q_lora_rank, q_latent);
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
  const Activations x{pass.ws.q_latent.slice(0, pass.rows), pass.ws.q_latent_q8.rows(pass.config().q_lora_rank)};
  multiply_unit(*matrix[0], x, pass.ws.q, product, worker);
}

void run_rotate_queries(Pass& pass, int, std::int64_t unit, Worker&) {
  for_rows(unit, pass.rows, [&](std::int64_t row) { rotate_query_row(pass, row); });
}

// ---------------------------------------------------------------- attention

bool expands(const Pass& pass, const RowSpan& span) { return !pass.network.engine->invariant && span.rows >= kExpandRows; }

// Heads that share one reading of the latents: all of kQueryRows for a block of rows, but enough groups for every worker.
std::int64_t heads_per_group(const Pass& pass, std::int64_t block_rows) {
  const std::int64_t heads = pass.config().num_attention_heads;
  const std::int64_t by_share = (heads + 2 * pass.worker_count() - 1) / (2 * pass.worker_count());
  return std::clamp<std::int64_t>(std::min(kQueryRows / block_rows, by_share), 1, 16);
}

BlockShape latent_shape(const Pass& pass, const RowSpan& span) {
  const std::int64_t heads = pass.config().num_attention_heads;
  if (expands(pass, span)) return {span.rows, heads};
  const std::int64_t rows = std::min<std::int64_t>(span.rows, 8);
  const std::int64_t group = heads_per_group(pass, rows);
  return {rows, (heads + group - 1) / group};
}

std::int64_t attend_latent_units(const Pass& pass, int) {
  return count_attention_units(pass, [&](const RowSpan& span) { return latent_shape(pass, span); });
}

// Queries go down to the latents' space, attention runs there for several heads at once, its result goes up.
void attend_absorbed(Pass& pass, int layer, const AttentionUnit& u, Worker& worker) {
  const Config& c = pass.config();
  const nn::LatentHeads& heads = pass.layer(layer).attention.heads;
  const std::int64_t group = heads_per_group(pass, std::min<std::int64_t>(u.span->rows, 8));
  const std::int64_t first_head = u.group * group;
  const std::int64_t head_count = std::min(group, c.num_attention_heads - first_head);
  const std::int64_t rank = c.kv_lora_rank, width = rank + c.qk_rope_head_dim, n = head_count * u.rows;
  float* q = worker.local.data();   // [heads x rows, rank + rope]
  float* latent = q + n * width;    // [heads x rows, rank]
  auto* positions = reinterpret_cast<std::int64_t*>(q + (n * (width + rank) + 1) / 2 * 2);
  float* softmax = reinterpret_cast<float*>(positions + n);
  for (std::int64_t h = 0; h < head_count; ++h) {
    const float* source = pass.ws.q.row(u.first_row) + (first_head + h) * c.head_dim;
    float* out = q + h * u.rows * width;
    heads.absorb_query(pass.kernels, first_head + h, source, pass.ws.q.stride, u.rows, out, width, worker.linear);
    for (std::int64_t r = 0; r < u.rows; ++r) {
      std::memcpy(out + r * width + rank, source + r * pass.ws.q.stride + c.qk_nope_head_dim,
                  std::size_t(c.qk_rope_head_dim) * sizeof(float));
      pass.kernels.scale(c.softmax_scale, out + r * width, width);
      positions[h * u.rows + r] = pass.positions[std::size_t(u.first_row + r)];
    }
  }
  const nn::QueryRows queries{q, width, n, positions, 0};
  nn::OnlineSoftmax attention(pass.kernels, queries, rank, latent, rank, {softmax, std::size_t(nn::OnlineSoftmax::floats(n))});
  const nn::KvCache& cache = *u.span->cache;
  for_pages(queries, [&](std::int64_t page, std::int64_t first, std::int64_t count) {
    attention.add({cache.page(layer, page, 0, width), cache.page(layer, page, 0, rank), cache.format(), first, count});
  });
  attention.finish(nullptr);
  for (std::int64_t h = 0; h < head_count; ++h) {
    float* out = pass.ws.heads.row(u.first_row) + (first_head + h) * c.v_head_dim;
    heads.expand_value(pass.kernels, first_head + h, latent + h * u.rows * rank, rank, u.rows, out, pass.ws.heads.stride,
                       worker.linear);
  }
}

kernels::WeightRows float_rows(const float* data, std::int64_t cols) {
  kernels::WeightRows rows;
  rows.data = reinterpret_cast<const std::uint8_t*>(data);
  rows.cols = cols;
  rows.row_bytes = cols * std::int64_t(sizeof(float));
  return rows;
}

// One head, all rows of the span: keys and values of each page are made from its latents, used by every row, and forgotten.
void attend_expanded(Pass& pass, int layer, const AttentionUnit& u, Worker& worker) {
  const Config& c = pass.config();
  const nn::LatentHeads& heads = pass.layer(layer).attention.heads;
  const std::int64_t rank = c.kv_lora_rank, nope = c.qk_nope_head_dim, rope = c.qk_rope_head_dim, page_rows = nn::KvCache::kPageRows;
  float* q = worker.local.data();                // [rows, head_dim]
  float* w_uk = q + u.rows * c.head_dim;         // [nope, rank]
  float* w_uv = w_uk + nope * rank;              // [value, rank]
  float* latents = w_uv + c.v_head_dim * rank;   // [page, rank]
  float* keys = latents + page_rows * rank;      // [page, head_dim]
  float* values = keys + page_rows * c.head_dim; // [page, value]
  float* softmax = values + page_rows * c.v_head_dim;
  heads.decode(pass.kernels, u.group, w_uk, w_uv, worker.linear);
  for (std::int64_t r = 0; r < u.rows; ++r) {
    std::memcpy(q + r * c.head_dim, pass.ws.q.row(u.first_row + r) + u.group * c.head_dim, std::size_t(c.head_dim) * sizeof(float));
    pass.kernels.scale(c.softmax_scale, q + r * c.head_dim, c.head_dim);
  }
  const nn::QueryRows queries{q, c.head_dim, u.rows, pass.positions.data() + u.first_row, 0};
  nn::OnlineSoftmax attention(pass.kernels, queries, c.v_head_dim, pass.ws.heads.row(u.first_row) + u.group * c.v_head_dim,
                              pass.ws.heads.stride, {softmax, std::size_t(nn::OnlineSoftmax::floats(u.rows))});
  const nn::KvCache& cache = *u.span->cache;
  const auto decode = pass.kernels.decode_row[int(cache.format())];
  const auto product = pass.kernels.matmul_f32[kernels::kF32];
  for_pages(queries, [&](std::int64_t page, std::int64_t first, std::int64_t count) {
    const kernels::WeightRows stored = cache.page(layer, page, 0, rank + rope);
    for (std::int64_t i = 0; i < count; ++i) {
      decode(stored, i, 0, rank, latents + i * rank);
      decode(stored, i, rank, rope, keys + i * c.head_dim + nope);
    }
    product(float_rows(w_uk, rank), 0, nope, latents, rank, count, keys, c.head_dim);
    product(float_rows(w_uv, rank), 0, c.v_head_dim, latents, rank, count, values, c.v_head_dim);
    attention.add({float_rows(keys, c.head_dim), float_rows(values, c.v_head_dim), StorageFormat::f32, first, count});
  });
  attention.finish(nullptr);
}

void run_attend_latent(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const AttentionUnit u = find_attention_unit(pass, unit, [&](const RowSpan& span) { return latent_shape(pass, span); });
  if (expands(pass, *u.span)) {
    attend_expanded(pass, layer, u, worker);
  } else {
    attend_absorbed(pass, layer, u, worker);
  }
}

}  // namespace

constexpr StageKind project_latent{"project_latent", Part::attention, project_latent_units, run_project_latent};
constexpr StageKind norm_and_store_latent{"norm_and_store_latent", Part::attention, all_row_units, run_norm_and_store_latent};
constexpr StageKind project_queries{"project_queries", Part::attention, project_queries_units, run_project_queries};
constexpr StageKind rotate_queries{"rotate_queries", Part::attention, all_row_units, run_rotate_queries};
constexpr StageKind attend_latent{"attend_latent", Part::attention, attend_latent_units, run_attend_latent};

}  // namespace fathom::model::stages
