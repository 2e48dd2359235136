// Grouped-query attention (Ainslie et al., arXiv:2305.13245), and what latent attention shares with it.
#include <cstring>
#include <optional>

#include "model/grouped_query_rows.hpp"
#include "model/stage_support.hpp"
#include "nn/bf16_attention.hpp"

namespace fathom::model::stages {
namespace {

// ---------------------------------------------------------------- norm

void run_attn_norm(Pass& pass, int layer, std::int64_t unit, Worker&) {
  const LayerWeights& l = pass.layer(layer);
  const AttentionWeights& a = l.attention;
  const nn::Linear* readers[] = {&a.q, &a.k, &a.v, &a.q_a, &a.kv_a};
  const ActivationForms forms = forms_of(pass, readers);
  for_rows(unit, pass.rows, [&](std::int64_t row) { norm_row(pass, row, l.attn_norm, forms); });
}

// ---------------------------------------------------------------- q, k, v

std::int64_t project_qkv_units(const Pass& pass, int layer) {
  const AttentionWeights& a = pass.layer(layer).attention;
  const nn::Linear* matrices[] = {&a.q, &a.k, &a.v};
  return count_product_units(pass, matrices);
}

void run_project_qkv(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const AttentionWeights& a = pass.layer(layer).attention;
  const Config& c = pass.config();
  const nn::Linear* matrices[] = {&a.q, &a.k, &a.v};
  const ProductUnit product = find_product_unit(pass, matrices, unit);
  Matrix<float> out = product.tile.matrix == 0 ? pass.ws.q : pass.ws.kv;
  if (product.tile.matrix == 2) out.data += c.num_key_value_heads * c.head_dim;  // values follow keys in a cache row
  multiply_unit(*matrices[product.tile.matrix], normed_rows(pass), out, product, worker);
}

// Norm and rotation of each head, then into the cache.
void run_rotate_and_store(Pass& pass, int layer, std::int64_t unit, Worker&) {
  const AttentionWeights& a = pass.layer(layer).attention;
  const Config& c = pass.config();
  const auto norm_heads = [&](float* x, std::int64_t heads, const float* weight) {
    for (std::int64_t h = 0; h < heads && weight; ++h) {
      pass.kernels.rms_norm(x + h * c.head_dim, weight, c.rms_norm_eps, c.head_dim, x + h * c.head_dim);
    }
  };
  for (const RowSpan& span : pass.spans) {
    for_rows(unit, pass.rows, [&](std::int64_t row) {
      if (row < span.first_row || row >= span.first_row + span.rows) return;
      norm_heads(pass.ws.q.row(row), c.num_attention_heads, a.q_norm);
      norm_heads(pass.ws.kv.row(row), c.num_key_value_heads, a.k_norm);
      rotate_heads(pass, row, pass.ws.q.row(row), c.num_attention_heads, c.head_dim);
      rotate_heads(pass, row, pass.ws.kv.row(row), c.num_key_value_heads, c.head_dim);
      span.cache->store(pass.kernels, layer, pass.positions[std::size_t(row)], pass.ws.kv.row(row));
    });
  }
}

// ---------------------------------------------------------------- attention

// A unit is a key-value head with the query heads that share it, over rows of a span.
auto grouped_query_shape(const Pass& pass, int layer) {
  const Config& c = pass.config();
  const std::int64_t window = c.sliding_window[std::size_t(layer)];
  return [&c, window](const RowSpan& span) {
    const std::int64_t last = span.first_position + span.rows;
    const std::int64_t seen = window > 0 ? std::min(last, window + span.rows) : last;
    return BlockShape{grouped_query_rows(c, seen), c.num_key_value_heads};
  };
}

std::int64_t attend_units(const Pass& pass, int layer) { return count_attention_units(pass, grouped_query_shape(pass, layer)); }

void run_attend(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const Config& c = pass.config();
  const AttentionUnit u = find_attention_unit(pass, unit, grouped_query_shape(pass, layer));
  const std::int64_t group = c.num_attention_heads / c.num_key_value_heads;
  const std::int64_t n = u.rows * group;
  // Queries gathered [rows x heads of the group, head_dim], scaled; state and results beside them.
  float* q = worker.local.data();
  float* out = q + n * c.head_dim;
  float* sinks = out + n * c.v_head_dim;
  auto* positions = reinterpret_cast<std::int64_t*>(q + (n * (c.head_dim + c.v_head_dim + 1) + 1) / 2 * 2);
  float* maximum = reinterpret_cast<float*>(positions + n);
  float* sum = maximum + n;
  const float* layer_sinks = pass.layer(layer).attention.sinks;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = u.first_row + i / group, head = u.group * group + i % group;
    std::memcpy(q + i * c.head_dim, pass.ws.q.row(row) + head * c.head_dim, std::size_t(c.head_dim) * sizeof(float));
    pass.kernels.scale(c.softmax_scale, q + i * c.head_dim, c.head_dim);
    positions[i] = pass.positions[std::size_t(row)];
    sinks[i] = layer_sinks ? layer_sinks[head] : 0.0f;
  }
  const nn::QueryRows queries{q, c.head_dim, n, positions, c.sliding_window[std::size_t(layer)]};
  const nn::SoftmaxState state{out, c.v_head_dim, maximum, sum};
  nn::OnlineSoftmax attention(pass.kernels, queries, c.v_head_dim, state, sum + n);
  attention.begin();
  const nn::KvCache& cache = *u.span->cache;
  std::optional<nn::Bf16Attention> in_bf16;
  if (u.span->rows >= kBf16AttendRows && !pass.network.engine->invariant && pass.network.attends_in_bf16(cache.format())) {
    in_bf16.emplace(pass.kernels, queries, c.head_dim, c.v_head_dim, state, attention, worker.linear.data());
  }
  const int keys = int(u.group), values = keys + int(c.num_key_value_heads);  // parts of the cache
  for_pages(queries, [&](std::int64_t page, std::int64_t first, std::int64_t count) {
    const nn::KeyValuePage here{cache.page(layer, page, keys), cache.page(layer, page, values), cache.format(), first, count};
    in_bf16 ? in_bf16->add(here) : attention.add(here);
  });
  attention.finish(layer_sinks ? sinks : nullptr);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = u.first_row + i / group, head = u.group * group + i % group;
    std::memcpy(pass.ws.heads.row(row) + head * c.v_head_dim, out + i * c.v_head_dim,
                std::size_t(c.v_head_dim) * sizeof(float));
  }
}

// ---------------------------------------------------------------- output

std::int64_t round_heads_units(const Pass& pass, int layer) {
  return pass.layer(layer).attention.output.form(pass.rows) == ActivationForm::f32 ? 0 : row_units(pass.rows);
}

void run_round_heads(Pass& pass, int layer, std::int64_t unit, Worker&) {
  const std::int64_t cols = pass.ws.heads.cols;
  const nn::Linear* readers[] = {&pass.layer(layer).attention.output};
  const ActivationForms forms = forms_of(pass, readers);
  for_rows(unit, pass.rows, [&](std::int64_t row) {
    pass.ws.heads_rounded.store(pass.kernels, forms, row, cols, 0, cols, pass.ws.heads.row(row));
  });
}

std::int64_t attn_output_units(const Pass& pass, int layer) {
  const nn::Linear* matrix[] = {&pass.layer(layer).attention.output};
  return count_product_units(pass, matrix);
}

void run_attn_output(Pass& pass, int layer, std::int64_t unit, Worker& worker) {
  const nn::Linear* matrix[] = {&pass.layer(layer).attention.output};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  multiply_unit(*matrix[0], pass.ws.heads_rounded.rows(pass.ws.heads.slice(0, pass.rows)), pass.ws.branch, product, worker);
  add_branch(pass, product);
}

}  // namespace

constexpr StageKind attn_norm{"attn_norm", Part::other, all_row_units, run_attn_norm};
constexpr StageKind project_qkv{"project_qkv", Part::attention, project_qkv_units, run_project_qkv};
constexpr StageKind rotate_and_store{"rotate_and_store", Part::attention, all_row_units, run_rotate_and_store};
constexpr StageKind attend{"attend", Part::attention, attend_units, run_attend};
constexpr StageKind round_heads{"round_heads", Part::other, round_heads_units, run_round_heads};
constexpr StageKind attn_output{"attn_output", Part::attention, attn_output_units, run_attn_output};

}  // namespace fathom::model::stages
