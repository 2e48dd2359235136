#include "model/attention/grouped_query/grouped_query.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "model/attention/attention_output.hpp"
#include "model/attention/attention_units.hpp"
#include "model/attention/grouped_query/grouped_query_rows.hpp"
#include "model/pass/products.hpp"
#include "model/tensors/tensor_loader.hpp"
#include "nn/bf16_attention.hpp"

namespace fathom::model {
namespace {

using Weights = GroupedQueryWeights;
using Scratch = GroupedQueryScratch;

// From this many rows of one sequence on, attention rounds to BF16 where the network may.
constexpr std::int64_t kBf16AttendRows = 64;

// ---------------------------------------------------------------- weights

void load(TensorLoader& t, int layer, Slot& slot) {
  const Config& c = t.config;
  const AttentionSpec& a = c.layer(layer).attention;
  Weights& w = slot.emplace<Weights>();
  w.q = t.linear(kAttnQ, layer, a.heads * a.head_dim, c.hidden_size, c.qkv_bias);
  w.k = t.linear(kAttnK, layer, a.kv_heads * a.head_dim, c.hidden_size, c.qkv_bias);
  w.v = t.linear(kAttnV, layer, a.kv_heads * a.v_head_dim, c.hidden_size, c.qkv_bias);
  if (c.qk_norm) {
    w.q_norm = t.vector(t.name(kAttnQNorm, layer), a.head_dim);
    w.k_norm = t.vector(t.name(kAttnKNorm, layer), a.head_dim);
  }
  if (c.sinks) w.sinks = t.vector(t.name(kAttnSinks, layer), a.heads);
  w.output = t.linear(kAttnOutputName, layer, c.hidden_size, a.heads * a.v_head_dim, c.output_bias);
}

void matrices(const Slot& slot, const MatrixVisitor& visit) {
  const Weights& w = slot.get<Weights>();
  for (const nn::Linear* matrix : {&w.q, &w.k, &w.v}) visit({matrix->weights(), matrix, MatrixUse::Reads::input});
  visit({w.output.weights(), &w.output});
}

void streams(const Config& config, int layer, std::vector<CachePart>& parts) {
  const AttentionSpec& a = config.layer(layer).attention;
  for (std::int64_t head = 0; head < a.kv_heads; ++head) parts.push_back({a.head_dim});
  for (std::int64_t head = 0; head < a.kv_heads; ++head) parts.push_back({a.v_head_dim});
}

void memory(const Network& network, std::span<const int> layers, PassMemoryPlan& plan, Slot& slot) {
  std::int64_t q = 0, kv = 0, heads = 0;
  for (const int layer : layers) {
    const AttentionSpec& a = network.config.layer(layer).attention;
    q = std::max(q, a.heads * a.head_dim);
    kv = std::max(kv, a.kv_heads * (a.head_dim + a.v_head_dim));
    heads = std::max(heads, a.heads * a.v_head_dim);
    const std::int64_t queries = std::max(kQueryRows, a.heads / a.kv_heads);
    // Queries, outputs, softmax state and scores, positions (64 bits), sinks.
    plan.want_local(queries * (a.head_dim + a.v_head_dim + 5) + 2 + nn::OnlineSoftmax::floats(queries));
    if (network.attends_in_bf16(StorageFormat::f16)) {
      plan.want_linear(nn::Bf16Attention::scratch_bytes(queries, a.head_dim, a.v_head_dim));
    }
  }
  const std::int64_t rows = plan.limits.rows;
  Scratch& s = slot.emplace<Scratch>();
  s.q = plan.arena.matrix(rows, q);
  s.kv = plan.arena.matrix(rows, kv);
  s.heads = plan.arena.matrix(rows, heads);
  s.heads_rounded = plan.arena.rounded(rows, heads, plan.forms);
}

// The scratch as this layer's rows lie in it.
struct LayerRows {
  LayerRows(const Pass& pass, Place at) {
    const AttentionSpec& a = pass.attention(at);
    const Scratch& s = pass.scratch<Scratch>(at);
    q = {s.q.data, pass.rows, a.heads * a.head_dim};
    kv = {s.kv.data, pass.rows, a.kv_heads * (a.head_dim + a.v_head_dim)};
    heads = {s.heads.data, pass.rows, a.heads * a.v_head_dim};
  }
  Matrix<float> q, kv, heads;
};

// ---------------------------------------------------------------- q, k, v

std::int64_t project_qkv_units(const Pass& pass, Place at) {
  const Weights& w = pass.weights<Weights>(at);
  const nn::Linear* matrices[] = {&w.q, &w.k, &w.v};
  return count_product_units(pass, matrices);
}

void run_project_qkv(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const Weights& w = pass.weights<Weights>(at);
  const AttentionSpec& a = pass.attention(at);
  const LayerRows rows(pass, at);
  const nn::Linear* matrices[] = {&w.q, &w.k, &w.v};
  const ProductUnit product = find_product_unit(pass, matrices, unit);
  Matrix<float> out = product.tile.matrix == 0 ? rows.q : rows.kv;
  if (product.tile.matrix == 2) out.data += a.kv_heads * a.head_dim;  // values follow keys in a cache row
  multiply_unit(*matrices[product.tile.matrix], normed_rows(pass), out, product, worker);
}

// Norm and rotation of each head, then into the cache.
void run_rotate_and_store(Pass& pass, Place at, std::int64_t unit, Worker&) {
  const Weights& w = pass.weights<Weights>(at);
  const AttentionSpec& a = pass.attention(at);
  const LayerRows rows(pass, at);
  const auto norm_heads = [&](float* x, std::int64_t heads, const float* weight) {
    for (std::int64_t h = 0; h < heads && weight; ++h) {
      pass.kernels.rms_norm(x + h * a.head_dim, weight, pass.config().rms_norm_eps, a.head_dim, x + h * a.head_dim);
    }
  };
  for (const RowSpan& span : pass.spans) {
    for_rows(unit, pass.rows, [&](std::int64_t row) {
      if (row < span.first_row || row >= span.first_row + span.rows) return;
      norm_heads(rows.q.row(row), a.heads, w.q_norm);
      norm_heads(rows.kv.row(row), a.kv_heads, w.k_norm);
      rotate_heads(pass, at, row, rows.q.row(row), a.heads, a.head_dim);
      rotate_heads(pass, at, row, rows.kv.row(row), a.kv_heads, a.head_dim);
      span.cache->store(pass.kernels, at.layer, pass.positions[std::size_t(row)], rows.kv.row(row));
    });
  }
}

// ---------------------------------------------------------------- attention

// A unit is a key-value head with the query heads that share it, over rows of a span.
auto unit_shape(const Pass& pass, Place at) {
  return [&a = pass.attention(at)](const RowSpan& span) {
    const std::int64_t last = span.first_position + span.rows;
    const std::int64_t seen = a.sliding_window > 0 ? std::min(last, a.sliding_window + span.rows) : last;
    return BlockShape{grouped_query_rows(a, seen), a.kv_heads};
  };
}

std::int64_t attend_units(const Pass& pass, Place at) { return count_attention_units(pass, unit_shape(pass, at)); }

void run_attend(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const AttentionSpec& a = pass.attention(at);
  const LayerRows rows(pass, at);
  const AttentionUnit u = find_attention_unit(pass, unit, unit_shape(pass, at));
  const std::int64_t group = a.heads / a.kv_heads;
  const std::int64_t n = u.rows * group;
  // Queries gathered [rows x heads of the group, head_dim], scaled; state and results beside them.
  float* q = worker.local.data();
  float* out = q + n * a.head_dim;
  float* sinks = out + n * a.v_head_dim;
  auto* positions = reinterpret_cast<std::int64_t*>(q + (n * (a.head_dim + a.v_head_dim + 1) + 1) / 2 * 2);
  float* maximum = reinterpret_cast<float*>(positions + n);
  float* sum = maximum + n;
  const float* layer_sinks = pass.weights<Weights>(at).sinks;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = u.first_row + i / group, head = u.group * group + i % group;
    std::memcpy(q + i * a.head_dim, rows.q.row(row) + head * a.head_dim, std::size_t(a.head_dim) * sizeof(float));
    pass.kernels.scale(a.softmax_scale, q + i * a.head_dim, a.head_dim);
    positions[i] = pass.positions[std::size_t(row)];
    sinks[i] = layer_sinks ? layer_sinks[head] : 0.0f;
  }
  const nn::QueryRows queries{q, a.head_dim, n, positions, a.sliding_window};
  const nn::SoftmaxState state{out, a.v_head_dim, maximum, sum};
  nn::OnlineSoftmax attention(pass.kernels, queries, a.v_head_dim, state, sum + n);
  attention.begin();
  const nn::KvCache& cache = *u.span->cache;
  std::optional<nn::Bf16Attention> in_bf16;
  if (u.span->rows >= kBf16AttendRows && !pass.network.engine->invariant && pass.network.attends_in_bf16(cache.format())) {
    in_bf16.emplace(pass.kernels, queries, a.head_dim, a.v_head_dim, state, attention, worker.linear.data());
  }
  const int keys = int(u.group), values = keys + int(a.kv_heads);  // parts of the cache
  for_pages(queries, [&](std::int64_t page, std::int64_t first, std::int64_t count) {
    const nn::KeyValuePage here{cache.page(at.layer, page, keys), cache.page(at.layer, page, values), cache.format(), first,
                                count};
    in_bf16 ? in_bf16->add(here) : attention.add(here);
  });
  attention.finish(layer_sinks ? sinks : nullptr);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = u.first_row + i / group, head = u.group * group + i % group;
    std::memcpy(rows.heads.row(row) + head * a.v_head_dim, out + i * a.v_head_dim, std::size_t(a.v_head_dim) * sizeof(float));
  }
}

constexpr StageKind kProjectQkv{"project_qkv", Part::attention, project_qkv_units, run_project_qkv};
constexpr StageKind kRotateAndStore{"rotate_and_store", Part::attention, all_row_units, run_rotate_and_store};
constexpr StageKind kAttend{"attend", Part::attention, attend_units, run_attend};

void plan(const Config&, Place at, Plan& plan) {
  plan.add(kProjectQkv, at);
  plan.add(kRotateAndStore, at);
  plan.add(kAttend, at);
  plan.add(kRoundHeads<Weights, Scratch>, at);
  plan.add(kAttnOutput<Weights, Scratch>, at);
}

}  // namespace

constexpr Mechanism kGroupedQuery{"grouped_query", load, matrices, streams, memory, plan};

}  // namespace fathom::model
