// What both ways of latent attention share: weights, scratch, and the stages that make queries and latents.
#include "model/attention/latent/latent.hpp"

#include <algorithm>

#include "model/attention/attention_output.hpp"
#include "model/attention/attention_units.hpp"
#include "model/pass/products.hpp"
#include "model/tensors/tensor_loader.hpp"
#include "nn/bf16_attention.hpp"
#include "nn/fixed_attention.hpp"

namespace fathom::model {
namespace {

using Weights = LatentWeights;
using Scratch = LatentScratch;

// ---------------------------------------------------------------- weights

nn::LatentHeads load_heads(TensorLoader& t, int layer, std::int64_t heads) {
  const Config& c = t.config;
  const nn::LatentShape shape{heads, c.kv_lora_rank, c.qk_nope_head_dim, c.qk_rope_head_dim,
                              c.layer(layer).attention.v_head_dim};
  const io::TensorInfo* k_b = t.find(t.name(kAttnKB, layer));
  if (!k_b) {
    // Keys' rows are read the other way round as well, which takes them as stored.
    const std::int64_t rows = heads * (shape.nope_dim + shape.value_dim);
    return nn::LatentHeads::joined(
        shape, t.placed_matrix(t.name(kAttnKvB, layer), rows, shape.kv_lora_rank, TensorLoader::Order::as_stored));
  }
  // GGUF's split form, [heads, kv_lora_rank, nope] and [heads, value, kv_lora_rank]. Some files have the joined form as well.
  t.pass_over(t.name(kAttnKvB, layer));
  t.expect_shape(*k_b, {heads, shape.kv_lora_rank, shape.nope_dim});
  const io::TensorInfo& v_b = t.require(t.name(kAttnVB, layer));
  t.expect_shape(v_b, {heads, shape.value_dim, shape.kv_lora_rank});
  const WeightView keys = t.view(*k_b, heads * shape.kv_lora_rank, shape.nope_dim);
  const WeightView values = t.view(v_b, heads * shape.value_dim, shape.kv_lora_rank);
  return nn::LatentHeads::split(shape, t.place(*k_b, keys, shape.kv_lora_rank), t.place(v_b, values, shape.value_dim));
}

void load(TensorLoader& t, int layer, Slot& slot) {
  const Config& c = t.config;
  const AttentionSpec& a = c.layer(layer).attention;
  Weights& w = slot.emplace<Weights>();
  const std::int64_t q_rows = a.heads * a.head_dim;
  if (c.q_lora_rank > 0) {
    w.q_a = t.linear(kAttnQA, layer, c.q_lora_rank, c.hidden_size, c.qkv_bias);
    w.q_a_norm = t.vector(t.name(kAttnQANorm, layer), c.q_lora_rank);
    w.q_b = t.linear(kAttnQB, layer, q_rows, c.q_lora_rank);
  } else {
    w.q = t.linear(kAttnQ, layer, q_rows, c.hidden_size);
  }
  w.kv_a = t.linear(kAttnKvA, layer, c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size, c.qkv_bias);
  w.kv_a_norm = t.vector(t.name(kAttnKvANorm, layer), c.kv_lora_rank);
  w.heads = load_heads(t, layer, a.heads);
  w.output = t.linear(kAttnOutputName, layer, c.hidden_size, a.heads * a.v_head_dim, c.output_bias);
}

void matrices(const Slot& slot, const MatrixVisitor& visit) {
  const Weights& w = slot.get<Weights>();
  for (const nn::Linear* matrix : {&w.q, &w.q_a, &w.kv_a}) {
    if (*matrix) visit({matrix->weights(), matrix, MatrixUse::Reads::input});
  }
  if (w.q_b) visit({w.q_b.weights(), &w.q_b});
  const std::size_t scratch = w.heads.scratch_bytes(kSegment);
  visit({w.heads.key_weights(), nullptr, MatrixUse::Reads::other, false, scratch});
  if (w.heads.is_split()) visit({w.heads.value_weights(), nullptr, MatrixUse::Reads::other, false, scratch});
  visit({w.output.weights(), &w.output});
}

void streams(const Config& config, int, std::vector<CachePart>& parts) {
  parts.push_back({config.kv_lora_rank + config.qk_rope_head_dim, config.kv_lora_rank});
}

// ---------------------------------------------------------------- memory

// Partial results of attention to latents: a few megabytes, but at least two for each row of a panel, its total and a block's.
constexpr std::int64_t kPartialBytes = 8 << 20;
constexpr std::int64_t kMostPartials = 128;

void want_worker_memory(const Network& network, const AttentionSpec& a, PassMemoryPlan& plan) {
  const Config& c = network.config;
  const std::int64_t rows = plan.limits.rows, width = c.kv_lora_rank + c.qk_rope_head_dim;
  // Absorbed: queries of a panel; or positions (64 bits), scores and integers; or a panel's totals, which are smaller.
  plan.want_local(std::min(rows, kAbsorbPanel) * (c.kv_lora_rank + std::max<std::int64_t>(c.qk_rope_head_dim, 3)) + 8);
  plan.want_local(2 * kQueryRows + nn::OnlineSoftmax::floats(kQueryRows) + nn::FixedAttention::floats(kQueryRows, width));
  if (rows >= kExpandRows) plan.want_local(kSegment * c.kv_lora_rank);  // a segment of latents
  if (!network.attends_in_bf16(StorageFormat::f16)) return;
  plan.want_linear(nn::Bf16Attention::scratch_bytes(kQueryRows, a.head_dim, a.v_head_dim));
  plan.want_linear(nn::Bf16Attention::scratch_bytes(kQueryRows, width, c.kv_lora_rank));
}

// The dimensions of this attention are the same in all layers.
void memory(const Network& network, std::span<const int> layers, PassMemoryPlan& plan, Slot& slot) {
  const Config& c = network.config;
  const AttentionSpec& a = c.layer(layers.front()).attention;
  const std::int64_t rows = plan.limits.rows, panel = std::min(rows, kAbsorbPanel);
  Arena& arena = plan.arena;
  Scratch& s = slot.emplace<Scratch>();
  s.q = arena.matrix(rows, a.heads * a.head_dim);
  s.latent = arena.matrix(rows, c.kv_lora_rank + c.qk_rope_head_dim);
  s.q_latent = arena.matrix(rows, c.q_lora_rank);
  s.q_latent_rounded = arena.rounded(rows, c.q_lora_rank, plan.forms);
  s.heads = arena.matrix(rows, a.heads * a.v_head_dim);
  s.heads_rounded = arena.rounded(rows, s.heads.cols, plan.forms);
  want_worker_memory(network, a, plan);

  const std::int64_t slot_bytes = a.heads * (c.kv_lora_rank + 2) * std::int64_t(sizeof(float));
  s.absorbed = arena.matrix(panel, a.heads * (c.kv_lora_rank + c.qk_rope_head_dim));
  s.partial_slots = std::max(2 * panel, std::min(kMostPartials, kPartialBytes / slot_bytes));
  s.partial_out = arena.take<float>(s.partial_slots * a.heads * c.kv_lora_rank);
  s.partial_maximum = arena.take<float>(s.partial_slots * a.heads);
  s.partial_sum = arena.take<float>(s.partial_slots * a.heads);
  if (rows < kExpandRows || network.engine->invariant) return;
  s.expanded_keys = arena.take<float>(a.heads * kSegment * a.head_dim);
  s.expanded_values = arena.take<float>(a.heads * kSegment * a.v_head_dim);
  s.expanded_maximum = arena.take<float>(a.heads * rows);
  s.expanded_sum = arena.take<float>(a.heads * rows);
}

// ---------------------------------------------------------------- queries and latents

const nn::Linear& first_query_matrix(const Weights& w) { return w.q_a ? w.q_a : w.q; }

std::int64_t project_latent_units(const Pass& pass, Place at) {
  const Weights& w = pass.weights<Weights>(at);
  const nn::Linear* matrices[] = {&first_query_matrix(w), &w.kv_a};
  return count_product_units(pass, matrices);
}

void run_project_latent(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const Weights& w = pass.weights<Weights>(at);
  const Scratch& s = pass.scratch<Scratch>(at);
  const nn::Linear* matrices[] = {&first_query_matrix(w), &w.kv_a};
  const ProductUnit product = find_product_unit(pass, matrices, unit);
  const Matrix<float>& query_out = w.q_a ? s.q_latent : s.q;
  multiply_unit(*matrices[product.tile.matrix], normed_rows(pass), product.tile.matrix == 0 ? query_out : s.latent, product,
                worker);
}

void rotate_query_row(Pass& pass, Place at, std::int64_t row) {
  const AttentionSpec& a = pass.attention(at);
  rotate_heads(pass, at, row, pass.scratch<Scratch>(at).q.row(row) + pass.config().qk_nope_head_dim, a.heads, a.head_dim);
}

// The latents are normed, the shared key rotated, and both stored; a plain query is rotated here too.
void run_norm_and_store_latent(Pass& pass, Place at, std::int64_t unit, Worker&) {
  const Weights& w = pass.weights<Weights>(at);
  const Scratch& s = pass.scratch<Scratch>(at);
  const Config& c = pass.config();
  const nn::Linear* readers[] = {&w.q_b};
  const ActivationForms forms = forms_of(pass, readers);
  for (const RowSpan& span : pass.spans) {
    for_rows(unit, pass.rows, [&](std::int64_t row) {
      if (row < span.first_row || row >= span.first_row + span.rows) return;
      float* latent = s.latent.row(row);
      pass.kernels.rms_norm(latent, w.kv_a_norm, c.latent_norm_eps, c.kv_lora_rank, latent);
      rotate_heads(pass, at, row, latent + c.kv_lora_rank, 1, 0);
      span.cache->store(pass.kernels, at.layer, pass.positions[std::size_t(row)], latent);
      if (!w.q_a) {
        rotate_query_row(pass, at, row);
        return;
      }
      float* q_latent = s.q_latent.row(row);
      pass.kernels.rms_norm(q_latent, w.q_a_norm, c.latent_norm_eps, c.q_lora_rank, q_latent);
      s.q_latent_rounded.store(pass.kernels, forms, row, c.q_lora_rank, 0, c.q_lora_rank, q_latent);
    });
  }
}

std::int64_t project_queries_units(const Pass& pass, Place at) {
  const nn::Linear* matrix[] = {&pass.weights<Weights>(at).q_b};
  return count_product_units(pass, matrix);
}

void run_project_queries(Pass& pass, Place at, std::int64_t unit, Worker& worker) {
  const Scratch& s = pass.scratch<Scratch>(at);
  const nn::Linear* matrix[] = {&pass.weights<Weights>(at).q_b};
  const ProductUnit product = find_product_unit(pass, matrix, unit);
  multiply_unit(*matrix[0], s.q_latent_rounded.rows(s.q_latent.slice(0, pass.rows)), s.q, product, worker);
}

void run_rotate_queries(Pass& pass, Place at, std::int64_t unit, Worker&) {
  for_rows(unit, pass.rows, [&](std::int64_t row) { rotate_query_row(pass, at, row); });
}

constexpr StageKind kProjectLatent{"project_latent", Part::attention, project_latent_units, run_project_latent};
constexpr StageKind kNormAndStoreLatent{"norm_and_store_latent", Part::attention, all_row_units, run_norm_and_store_latent};
constexpr StageKind kProjectQueries{"project_queries", Part::attention, project_queries_units, run_project_queries};
constexpr StageKind kRotateQueries{"rotate_queries", Part::attention, all_row_units, run_rotate_queries};

void plan(const Config& config, Place at, Plan& plan) {
  plan.add(kProjectLatent, at);
  plan.add(kNormAndStoreLatent, at);
  if (config.q_lora_rank > 0) {
    plan.add(kProjectQueries, at);
    plan.add(kRotateQueries, at);
  }
  plan.add(kAbsorbQueries, at);
  plan.add(kAttendAbsorbed, at);
  plan.add(kExpandValues, at);
  plan.add(kExpandLatents, at);
  plan.add(kAttendExpanded, at);
  plan.add(kRoundHeads<Weights, Scratch>, at);
  plan.add(kAttnOutput<Weights, Scratch>, at);
}

}  // namespace

constexpr Mechanism kLatentAttention{"latent_attention", load, matrices, streams, memory, plan};

}  // namespace fathom::model
